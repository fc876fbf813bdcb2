"""One JSON answer as one complete stream, for a client that asked for a stream and a provider that gave none."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.responses_whole_stream import responses_events

_INDEXED = ("tool_calls", "thinking_blocks", "annotations", "citations")  # SDKs merge these lists by `index`


def stream_from_response(client: Format, response: dict[str, Any], *, include_usage: bool = False) -> bytes:
    """The SSE stream that says the same as a client format's JSON answer. Raises InvalidUpstreamResponse."""
    try:
        return b"".join(_RENDERERS[client](response, include_usage))
    except TypeError as error:  # what orjson cannot write: nesting deeper than 254
        raise InvalidUpstreamResponse("The provider's answer is nested too deeply.") from error


def _chat_events(response: dict[str, Any], include_usage: bool) -> Iterator[bytes]:
    shared = {name: value for name, value in response.items() if name not in ("choices", "usage")}
    shared["object"] = "chat.completion.chunk"
    for position, choice in enumerate(objects_in(response.get("choices"))):
        message = {name: value for name, value in object_or_empty(choice.get("message")).items() if value is not None}
        for name in _INDEXED:
            if name in message:
                message[name] = [{"index": index, **entry} for index, entry in enumerate(objects_in(message[name]))]
        head = {"index": choice.get("index", position)}
        end = {name: value for name, value in choice.items() if name != "message"}
        for part in ({**head, "delta": message, "finish_reason": None}, {**head, "delta": {}, **end}):
            yield _data({**shared, "choices": [part]})
    if include_usage and isinstance(response.get("usage"), dict):
        yield _data({**shared, "choices": [], "usage": response["usage"]})
    yield b"data: [DONE]\n\n"


def _anthropic_events(message: dict[str, Any], _: bool) -> Iterator[bytes]:
    usage = object_or_empty(message.get("usage"))
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield _named({"type": "message_start", "message": {**begun, "usage": {**usage, "output_tokens": 0}}})
    for index, block in enumerate(objects_in(message.get("content"))):
        start, deltas = _block(block)
        yield _named({"type": "content_block_start", "index": index, "content_block": start})
        for delta in deltas:
            yield _named({"type": "content_block_delta", "index": index, "delta": delta})
        yield _named({"type": "content_block_stop", "index": index})
    reason = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    if message.get("stop_details") is not None:
        reason["stop_details"] = message["stop_details"]
    yield _named({"type": "message_delta", "delta": reason, "usage": usage})
    yield _named({"type": "message_stop"})


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and the deltas that complete it."""
    kind = block.get("type")
    if kind == "text":
        deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": text_or_empty(block.get("text"))}]
        deltas += [{"type": "citations_delta", "citation": each} for each in objects_in(block.get("citations"))]
        return {"type": "text", "text": ""}, deltas
    if kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": text_or_empty(block.get("thinking"))},
            {"type": "signature_delta", "signature": text_or_empty(block.get("signature"))},
        ]
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        arguments = orjson.dumps(block.get("input") or {}).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": arguments}]
    return block, []


def _data(event: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(event)


def _named(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


_RENDERERS: dict[Format, Callable[[dict[str, Any], bool], Iterator[bytes]]] = {
    Format.CHAT: _chat_events,
    Format.ANTHROPIC: _anthropic_events,
    Format.RESPONSES: lambda response, _: responses_events(response),
}
# Clients that get a stream even where the provider answered with JSON.
WHOLE_STREAMS = frozenset(_RENDERERS)
