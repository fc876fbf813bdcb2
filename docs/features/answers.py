"""The features of answers, with an answer of each provider format that has them."""

from docs.features.media import PICTURE, PICTURE_DATA, SOUND
from docs.features.outcome import Answering, Json, Keeping
from docs.features.provider_answers import chat, converse, gemini, message, output_text, response, said
from hermesllm.formats import Format

CHAT, ANTHROPIC, RESPONSES, CONVERSE, GEMINI = (
    Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.CONVERSE, Format.GEMINI,
)  # fmt: skip
_CLIENTS = frozenset({CHAT, ANTHROPIC, RESPONSES})
_URL = "https://example.com/a"
_TEXT = "Bonjour"


def _calls(*cities: str) -> dict[Format, Json]:
    ids = [(f"call_{number}", city) for number, city in enumerate(cities)]
    written = [(call_id, f'{{"city":"{city}"}}') for call_id, city in ids]
    return {
        CHAT: chat({"tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
            for call_id, arguments in written
        ]}, "tool_calls"),
        ANTHROPIC: message(*(
            {"type": "tool_use", "id": call_id, "name": "get_weather", "input": {"city": city}}
            for call_id, city in ids
        ), stop="tool_use"),
        RESPONSES: response(*(
            {
                "type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": "get_weather",
                "arguments": arguments, "status": "completed",
            }
            for call_id, arguments in written
        )),
        CONVERSE: converse(*(
            {"toolUse": {"toolUseId": call_id, "name": "get_weather", "input": {"city": city}}}
            for call_id, city in ids
        ), stop="tool_use"),
        GEMINI: gemini(*(
            {"functionCall": {"id": call_id, "name": "get_weather", "args": {"city": city}}} for call_id, city in ids
        )),
    }  # fmt: skip


_WHOLE: dict[Format, Json] = {
    CHAT: {"content": _TEXT},
    ANTHROPIC: {"type": "text", "text": _TEXT},
    RESPONSES: said(output_text(_TEXT)),
    CONVERSE: {"text": _TEXT},
    GEMINI: {"text": _TEXT},
}
_SIGNED = "c2lnbmF0dXJlLW9mLXRoZS10aG91Z2h0"
_THOUGHT: dict[Format, Json] = {
    ANTHROPIC: message(
        {"type": "thinking", "thinking": "It is French.", "signature": _SIGNED}, _WHOLE[ANTHROPIC]
    ),
    RESPONSES: response(
        {
            "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "It is French."}],
            "encrypted_content": _SIGNED,
        },
        _WHOLE[RESPONSES],
    ),
    CONVERSE: converse(
        {"reasoningContent": {"reasoningText": {"text": "It is French.", "signature": _SIGNED}}}, _WHOLE[CONVERSE]
    ),
    GEMINI: gemini({"text": "It is French.", "thought": True, "thoughtSignature": _SIGNED}, _WHOLE[GEMINI]),
}  # fmt: skip

ANSWERING = (
    Answering(name="text", marks=(_TEXT,), answers={
        CHAT: chat(_WHOLE[CHAT]), ANTHROPIC: message(_WHOLE[ANTHROPIC]), RESPONSES: response(_WHOLE[RESPONSES]),
        CONVERSE: converse(_WHOLE[CONVERSE]), GEMINI: gemini(_WHOLE[GEMINI]),
    }),
    Answering(name="tool calls, with their ids", marks=("call_0", "get_weather", "Paris"), answers=_calls("Paris")),
    Answering(
        name="parallel tool calls", marks=("call_0", "call_1", "Paris", "Rome"), answers=_calls("Paris", "Rome"),
    ),
    Answering(name="thinking, in the open", marks=("It is French.",), answers={
        **_THOUGHT, CHAT: chat({**_WHOLE[CHAT], "reasoning_content": "It is French."}),
    }),
    Answering(name="a refusal's words", marks=("I will not.",), answers={
        CHAT: chat({"refusal": "I will not."}),
        ANTHROPIC: message({"type": "text", "text": "I will not."}, stop="refusal"),
        RESPONSES: response(said({"type": "refusal", "refusal": "I will not."})),
        CONVERSE: converse({"text": "I will not."}, stop="guardrail_intervened"),
    }),
    Answering(
        name="stopped by a content filter",
        words={CHAT: ("content_filter",), ANTHROPIC: ("refusal",), RESPONSES: ("content_filter",)},
        answers={
            CHAT: chat(_WHOLE[CHAT], "content_filter"),
            ANTHROPIC: message(_WHOLE[ANTHROPIC], stop="refusal"),
            RESPONSES: response(
                _WHOLE[RESPONSES], status="incomplete", incomplete_details={"reason": "content_filter"}
            ),
            CONVERSE: converse(_WHOLE[CONVERSE], stop="content_filtered"),
            GEMINI: gemini(_WHOLE[GEMINI], finish="SAFETY"),
        },
    ),
    Answering(
        name="stopped at the token limit",
        words={CHAT: ("length",), ANTHROPIC: ("max_tokens",), RESPONSES: ("max_output_tokens",)},
        answers={
            CHAT: chat(_WHOLE[CHAT], "length"),
            ANTHROPIC: message(_WHOLE[ANTHROPIC], stop="max_tokens"),
            RESPONSES: response(
                _WHOLE[RESPONSES], status="incomplete", incomplete_details={"reason": "max_output_tokens"}
            ),
            CONVERSE: converse(_WHOLE[CONVERSE], stop="max_tokens"),
            GEMINI: gemini(_WHOLE[GEMINI], finish="MAX_TOKENS"),
        },
    ),
    Answering(
        name="which stop sequence matched", marks=("HALT",), nowhere=frozenset({RESPONSES}),
        answers={
            ANTHROPIC: message(_WHOLE[ANTHROPIC], stop="stop_sequence", stop_sequence="HALT"),
            CONVERSE: converse(
                _WHOLE[CONVERSE], stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "HALT"}
            ),
        },
    ),
    Answering(name="citations of web pages", marks=(_URL,), answers={
        CHAT: chat({**_WHOLE[CHAT], "annotations": [{
            "type": "url_citation", "url_citation": {"url": _URL, "title": "A", "start_index": 0, "end_index": 7},
        }]}),
        ANTHROPIC: message({"type": "text", "text": _TEXT, "citations": [{
            "type": "web_search_result_location", "url": _URL, "title": "A", "encrypted_index": "Eo8B",
            "cited_text": "Hello",
        }]}),
        RESPONSES: response(said(output_text(_TEXT, annotations=[
            {"type": "url_citation", "url": _URL, "title": "A", "start_index": 0, "end_index": 7},
        ]))),
        CONVERSE: converse({"citationsContent": {"content": [{"text": _TEXT}], "citations": [
            {"title": "A", "sourceContent": [{"text": "Hello"}], "location": {"web": {"url": _URL, "domain": "a"}}},
        ]}}),
        GEMINI: gemini(_WHOLE[GEMINI], groundingMetadata={
            "groundingChunks": [{"web": {"uri": _URL, "title": "A"}}],
            "groundingSupports": [{"segment": {"endIndex": 7, "text": _TEXT}, "groundingChunkIndices": [0]}],
        }),
    }),
    Answering(
        name="citations of documents", marks=("The grass is green.",),
        answers={
            ANTHROPIC: message({"type": "text", "text": _TEXT, "citations": [{
                "type": "char_location", "document_index": 0, "document_title": "A", "start_char_index": 0,
                "end_char_index": 19, "cited_text": "The grass is green.",
            }]}),
            CONVERSE: converse({"citationsContent": {"content": [{"text": _TEXT}], "citations": [{
                "title": "A", "sourceContent": [{"text": "The grass is green."}],
                "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 19}},
            }]}}),
        },
    ),
    Answering(
        name="calls of tools that the provider ran", marks=("grass colour",), nowhere=frozenset({CHAT}),
        left_out=frozenset({ANTHROPIC}),
        answers={
            ANTHROPIC: message(
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
                 "input": {"query": "grass colour"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                _WHOLE[ANTHROPIC],
            ),
            RESPONSES: response(
                {"type": "web_search_call", "id": "ws_1", "status": "completed",
                 "action": {"type": "search", "query": "grass colour"}},
                _WHOLE[RESPONSES],
            ),
            GEMINI: gemini(
                {"executableCode": {"language": "PYTHON", "code": "print('grass colour')"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "green"}},
                _WHOLE[GEMINI],
            ),
        },
    ),
    Answering(name="log probabilities", marks=(-0.4711,), nowhere=frozenset({ANTHROPIC}), answers={
        CHAT: chat(_WHOLE[CHAT], logprobs={"content": [
            {"token": _TEXT, "logprob": -0.4711, "bytes": [], "top_logprobs": []},
        ]}),
        RESPONSES: response(said(output_text(_TEXT, logprobs=[
            {"token": _TEXT, "logprob": -0.4711, "bytes": [], "top_logprobs": []},
        ]))),
        GEMINI: gemini(_WHOLE[GEMINI], logprobsResult={
            "chosenCandidates": [{"token": _TEXT, "tokenId": 1, "logProbability": -0.4711}],
            "topCandidates": [],
        }),
    }),
    Answering(name="several answers (`n`)", marks=("Salut",), nowhere=frozenset({ANTHROPIC, RESPONSES}), answers={
        CHAT: {**chat({}), "choices": [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for index, text in enumerate((_TEXT, "Salut"))
        ]},
        GEMINI: {**gemini({}), "candidates": [
            {"index": index, "content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
            for index, text in enumerate((_TEXT, "Salut"))
        ]},
    }),
    Answering(name="images", marks=(PICTURE,), left_out=_CLIENTS, answers={
        CHAT: chat({**_WHOLE[CHAT], "images": [{"type": "image_url", "image_url": {"url": PICTURE_DATA}}]}),
        RESPONSES: response(
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PICTURE},
            _WHOLE[RESPONSES],
        ),
        GEMINI: gemini(_WHOLE[GEMINI], {"inlineData": {"mimeType": "image/png", "data": PICTURE}}),
    }),
    Answering(name="speech", marks=(SOUND,), nowhere=frozenset({ANTHROPIC}), answers={
        CHAT: chat({"audio": {"id": "audio_1", "data": SOUND, "transcript": _TEXT, "expires_at": 1}}),
    }),
    Answering(name="tokens read from the prompt cache", marks=(4711,), answers={
        CHAT: chat(_WHOLE[CHAT], usage={"prompt_tokens_details": {"cached_tokens": 4711}}),
        ANTHROPIC: message(_WHOLE[ANTHROPIC], usage={"cache_read_input_tokens": 4711}),
        RESPONSES: response(_WHOLE[RESPONSES], usage={"input_tokens_details": {"cached_tokens": 4711}}),
        CONVERSE: converse(_WHOLE[CONVERSE], usage={"cacheReadInputTokens": 4711}),
        GEMINI: gemini(_WHOLE[GEMINI], usage={"cachedContentTokenCount": 4711}),
    }),
    Answering(name="tokens written to the prompt cache", marks=(4711,), answers={
        ANTHROPIC: message(_WHOLE[ANTHROPIC], usage={"cache_creation_input_tokens": 4711}),
        RESPONSES: response(_WHOLE[RESPONSES], usage={"input_tokens_details": {"cache_write_tokens": 4711}}),
        CONVERSE: converse(_WHOLE[CONVERSE], usage={"cacheWriteInputTokens": 4711}),
    }),
    Answering(name="reasoning tokens", marks=(4711,), answers={
        CHAT: chat(_WHOLE[CHAT], usage={"completion_tokens_details": {"reasoning_tokens": 4711}}),
        ANTHROPIC: message(_WHOLE[ANTHROPIC], usage={"output_tokens_details": {"thinking_tokens": 4711}}),
        RESPONSES: response(_WHOLE[RESPONSES], usage={"output_tokens_details": {"reasoning_tokens": 4711}}),
        GEMINI: gemini(_WHOLE[GEMINI], usage={"thoughtsTokenCount": 4711}),
    }),
    Answering(
        name="the service tier that served", marks=("priority",),
        answers={
            CHAT: {**chat(_WHOLE[CHAT]), "service_tier": "priority"},
            ANTHROPIC: message(_WHOLE[ANTHROPIC], usage={"service_tier": "priority"}),
            RESPONSES: response(_WHOLE[RESPONSES], service_tier="priority"),
            CONVERSE: converse(_WHOLE[CONVERSE], serviceTier={"type": "priority"}),
        },
    ),
)  # fmt: skip

KEEPING = (
    Keeping(name="signed or encrypted thinking", mark=_SIGNED, answers=_THOUGHT),
    Keeping(name="redacted thinking", mark=_SIGNED, answers={
        ANTHROPIC: message({"type": "redacted_thinking", "data": _SIGNED}, _WHOLE[ANTHROPIC]),
        CONVERSE: converse({"reasoningContent": {"redactedContent": _SIGNED}}, _WHOLE[CONVERSE]),
    }),
    Keeping(name="signatures of texts", mark=_SIGNED, answers={
        GEMINI: gemini({"text": _TEXT, "thoughtSignature": _SIGNED}),
    }),
    Keeping(name="signatures of tool calls", mark=_SIGNED, answers={
        GEMINI: gemini({
            "functionCall": {"id": "call_0", "name": "get_weather", "args": {"city": "Paris"}},
            "thoughtSignature": _SIGNED,
        }),
    }),
)  # fmt: skip
