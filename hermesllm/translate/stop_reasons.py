"""Why an answer ended, in the words of each format."""

ANTHROPIC_TO_CHAT = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
}
CHAT_TO_ANTHROPIC = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
# Why a Responses answer is incomplete; one that is whole says nothing.
CHAT_TO_RESPONSES = {"length": "max_output_tokens", "content_filter": "content_filter"}
ANTHROPIC_TO_RESPONSES = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
RESPONSES_TO_CHAT = {"max_output_tokens": "length", "content_filter": "content_filter"}
RESPONSES_TO_ANTHROPIC = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}
# Reasons that are not here mean that Gemini failed, or gave up, without a word that Chat has.
GEMINI_TO_CHAT = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
CONVERSE_TO_ANTHROPIC = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
}
