"""Reads translated Gemini streams as the clients do: with the official SDKs."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.recorded_streams import sse
from tests.unit.hermesllm.translate.test_streams_in_sdks import read_by_anthropic, read_by_openai

USER = {"role": "user", "content": "Hi"}


def translated(client: Format, stream: bytes) -> bytes:
    cell = translator(client, Format.GEMINI, Context(PROVIDERS["vertex"], "gemini-3-pro-preview"))
    cell.request({"messages": [USER], "max_tokens": 9, "stream": True, "stream_options": {"include_usage": True}})
    made = cell.stream()
    return made.decode(stream) + made.flush()


def read_stream(client: Format, *events: dict[str, Any]) -> dict[str, Any]:
    """The assistant message that an SDK makes of a stream."""
    stream = translated(client, sse(*events))
    if client is Format.ANTHROPIC:
        return {"role": "assistant", "content": read_by_anthropic(stream)["content"]}
    message: dict[str, Any] = read_by_openai(stream)["choices"][0]["message"]
    for call in message.get("tool_calls") or ():
        call["function"].pop("parsed_arguments", None)
    return message
