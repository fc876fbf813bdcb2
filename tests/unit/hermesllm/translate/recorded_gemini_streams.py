"""Gemini's streams as its documentation shows them, for the tests that cut, break and read them."""

from typing import Any

from tests.unit.hermesllm.translate.recorded_streams import sse

USAGE = {
    "promptTokenCount": 30,
    "cachedContentTokenCount": 10,
    "candidatesTokenCount": 8,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 42,
}
EARLY_USAGE = {"promptTokenCount": 30, "totalTokenCount": 30}


def answer(
    *parts: dict[str, Any], finish: str | None = None, candidate: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    """One event, or one JSON answer: a candidate with these parts."""
    made: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if finish:
        made["finishReason"] = finish
    return {
        "candidates": [made | {"index": 0} | (candidate or {})],
        "usageMetadata": USAGE if finish else EARLY_USAGE,
        "modelVersion": "gemini-3-pro-preview",
        "responseId": "resp-1",
        **members,
    }


def text(words: str, signature: str = "") -> dict[str, Any]:
    return {"text": words, **({"thoughtSignature": signature} if signature else {})}


def thought(words: str, signature: str = "") -> dict[str, Any]:
    return {**text(words, signature), "thought": True}


def call(name: str, args: dict[str, Any], signature: str = "", call_id: str = "") -> dict[str, Any]:
    made = {"functionCall": {**({"id": call_id} if call_id else {}), "name": name, "args": args}}
    return {**made, **({"thoughtSignature": signature} if signature else {})}


CITED = "Spain won Euro 2024, 2:1."
GROUNDING = {
    "webSearchQueries": ["UEFA Euro 2024 winner"],
    "searchEntryPoint": {"renderedContent": "<div></div>"},
    "groundingChunks": [
        {"web": {"uri": "https://example.com/a", "title": "uefa.com"}},
        {"web": {"uri": "https://example.com/b", "title": "aljazeera.com"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 0, "endIndex": 19, "text": "Spain won Euro 2024"}, "groundingChunkIndices": [0, 1]},
    ],
}
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}

GEMINI_STREAMS = {
    "text": sse(
        answer(text("Grüße ")),
        answer(text("aus 東京 🗼\n\n")),
        answer(text("data: x")),
        answer(text(""), finish="STOP"),
    ),
    "text in one event": sse(answer(text("Hello"), finish="MAX_TOKENS")),
    "finish without content": sse(answer(text("Hello")), answer(finish="STOP", candidate={"content": {}})),
    "thoughts, then text": sse(
        answer(thought("The user ")),
        answer(thought("greets.")),
        answer(text("Hel")),
        answer(text("lo")),
        answer(text("", "dGV4dA=="), finish="STOP"),
    ),
    "signed thought, then signed text": sse(
        answer(thought("Hm.", "dGhvdWdodA==")), answer(text("Hello", "dGV4dA==")), answer(finish="STOP")
    ),
    "text, then parallel calls": sse(
        answer(text("Let me see.")),
        answer(
            call("get_weather", {"city": "Köln"}, "c2ln", "fc-1"),
            call("get_time", {"zone": "CET"}, "", "fc-2"),
            finish="STOP",
        ),
    ),
    "calls in two events": sse(
        answer(thought("Hm.")),
        answer(call("get_weather", {"city": "Köln"}, "c2ln", "fc-1")),
        answer(call("get_time", {}, "", "fc-2")),
        answer(text(""), finish="STOP"),
    ),
    "grounded": sse(
        answer(text("Spain won Euro ")),
        answer(text("2024, 2:1."), finish="STOP", candidate={"groundingMetadata": GROUNDING}),
    ),
    "code that Google ran": sse(
        answer(text("I compute.")),
        answer({"executableCode": {"language": "PYTHON", "code": "print(2)"}}),
        answer({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2\n"}}),
        answer(text("It is 2."), finish="STOP"),
    ),
    "an image": sse(
        answer(text("Here:"), {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "aW1n"}),
        answer(finish="STOP"),
    ),
    "filtered": sse(answer(text("I")), answer(finish="SAFETY", candidate={"finishMessage": "Not this."})),
    "prompt blocked": sse({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": EARLY_USAGE}),
    "two candidates": sse(
        answer(text("One")),
        answer(text("Two"), candidate={"index": 1}),
        answer(text("!"), finish="STOP", candidate={"index": 1}),
        answer(text("."), finish="STOP"),
    ),
    "error in the middle": sse(answer(text("Hel")), ERROR),
    "error in a list": sse(answer(text("Hel"))) + b'[{\n  "error": {"code": 429, "message": "Quota exceeded.",\n'
    b'  "status": "RESOURCE_EXHAUSTED"}\n}\n]\n',
    "error without data": sse(answer(text("Hel"))) + b'{"error": {"code": 500, "message": "Internal error.",\n'
    b'  "status": "INTERNAL"}\n}\n',
    "gave up": sse(answer(finish="MALFORMED_FUNCTION_CALL", candidate={"finishMessage": "Malformed call: f("})),
    "cut": sse(answer(text("Hel")), answer(text("lo"))),
    "not JSON": sse(answer(text("Hel")), "data: {nonsense"),
}
