"""Answers of providers in each format, written from the parts that matter to a probe."""

from typing import Any

from docs.features.outcome import Json


def chat(message: Json, finish: str = "stop", *, usage: Json | None = None, **choice: Any) -> Json:
    answered = {"role": "assistant", "content": None, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": answered, "finish_reason": finish, **choice}],
        "usage": {"prompt_tokens": 9000, "completion_tokens": 9000, "total_tokens": 18000, **(usage or {})},
    }


def message(*content: Json, stop: str = "end_turn", usage: Json | None = None, **members: Any) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 9000, "output_tokens": 9000, **(usage or {})},
        **members,
    }


def response(*output: Json, usage: Json | None = None, **members: Any) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "m",
        "output": list(output),
        "usage": {"input_tokens": 9000, "output_tokens": 9000, "total_tokens": 18000, **(usage or {})},
        **members,
    }


def said(*content: Json) -> Json:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(content)}


def output_text(text: str, **members: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **members}


def converse(*content: Json, stop: str = "end_turn", usage: Json | None = None, **members: Any) -> Json:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 9000, "outputTokens": 9000, "totalTokens": 18000, **(usage or {})},
        **members,
    }


def gemini(*parts: Json, finish: str = "STOP", usage: Json | None = None, **candidate: Any) -> Json:
    content = {"role": "model", "parts": list(parts)}
    return {
        "candidates": [{"content": content, "finishReason": finish, "index": 0, **candidate}],
        "usageMetadata": {"promptTokenCount": 9000, "candidatesTokenCount": 9000, **(usage or {})},
        "modelVersion": "m",
        "responseId": "r-1",
    }
