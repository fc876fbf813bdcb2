"""One response object out of a Responses stream, for clients that asked for JSON at a provider that only streams."""

from typing import Any

import orjson

from hermesllm.error_bodies import error_in
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, text_or_empty
from hermesllm.sse import EventTooLarge, SSEDecoder
from hermesllm.translate.responses_reader import response_failure

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


def response_in_stream(body: bytes) -> dict[str, Any]:
    """The response that a whole stream gave. Raises InvalidUpstreamResponse when it failed or was cut.

    Its output is filled from the items of the stream: ChatGPT's backend ends with an empty one.
    """
    items: dict[int, dict[str, Any]] = {}
    for event in _events(body):
        kind = text_or_empty(event.get("type"))
        if kind == "response.output_item.done" and isinstance(event.get("output_index"), int):
            items[event["output_index"]] = object_or_empty(event.get("item"))
        elif kind in _TERMINAL:
            return _whole(object_or_empty(event.get("response")), items, kind)
        elif kind == "error" or isinstance(event.get("error"), dict):
            report = error_in(Format.RESPONSES, event)
            raise InvalidUpstreamResponse(
                report.message if report else "The provider reported an error without a text.",
                status=report.status if report else None,
                code=report.code if report else None,
            )
    raise InvalidUpstreamResponse("The provider ended the stream before the answer was complete.", code="stream_cut")


def _whole(response: dict[str, Any], items: dict[int, dict[str, Any]], kind: str) -> dict[str, Any]:
    failure = response_failure({**response, "status": "failed"} if kind == "response.failed" else response)
    if failure is not None:
        raise InvalidUpstreamResponse(failure.message, status=failure.status, code=failure.code)
    if not response.get("output"):
        response["output"] = [items[index] for index in sorted(items)]
    if not text_or_empty(response.get("status")):
        response["status"] = kind.removeprefix("response.")
    return response


def _events(body: bytes) -> list[dict[str, Any]]:
    # The whole answer is in memory already: an event of it may be as large as it is.
    decoder = SSEDecoder(limit=max(len(body), 1))
    try:
        found = [*decoder.decode(body), *decoder.flush()]
    except EventTooLarge as error:
        raise InvalidUpstreamResponse(f"The provider's answer cannot be read: {error}.") from None
    events = []
    for event in found:
        try:
            document = orjson.loads(event.data or b"{}")
        except orjson.JSONDecodeError:
            if event.data == b"[DONE]":
                continue
            raise InvalidUpstreamResponse("The provider sent a stream event that is not JSON.") from None
        if isinstance(document, dict):
            events.append(document)
    return events
