"""What the tree shows of a span's attributes and events, in which order and how."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from planoctl.traces.shape import STATUS_KEYS
from planoctl.traces.span import Attribute, Event, Span, text

BRAND = "#969FF4"
ERROR = "#ff6b6b"
# The first word that is in a service's name decides.
_COLOURS = {
    "inbound": "#4860fa",
    "outbound": "#57d9a9",
    "orchestrator": BRAND,
    "routing": "#e3a2fa",
    "agent": "cyan",
    "llm": "green",
}
_PROXY_KEYS = frozenset({
    "http.method", "http.target", "http.status_code", "url.scheme", "guid:x-request-id", "request_size",
    "response_size",
})  # fmt: skip
_FIRST_KEYS = (
    "http.status_code", "error.type", "error.message", "error.stack", "exception.type", "exception.message",
    "http.method", "http.target", "guid:x-request-id", "request_size", "response_size", "routing.determination_ms",
    "route.selected_model", "selection.agents", "selection.agent_count", "agent.name", "agent.sequence", "duration_ms",
    "llm.model", "llm.is_streaming", "llm.time_to_first_token", "llm.duration_ms", "llm.response_bytes",
)  # fmt: skip
_RANK = {key: rank for rank, key in enumerate(_FIRST_KEYS)}
_SYMBOLS = {429: "🚦", 404: "🔍", 403: "🚫", 401: "🔐"}
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_LONGEST_VALUE = 240
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_FAST_MILLISECONDS, _SLOW_MILLISECONDS = 10, 1000


@dataclass(frozen=True, slots=True)
class Detail:
    """How much to show. `everything`: all attributes, uncut; `chosen`: the attributes are those that were asked for."""

    everything: bool = False
    chosen: bool = False


def colour(service: str) -> str:
    """The colour of a service."""
    return next((colour for word, colour in _COLOURS.items() if word in service), "white")


def milliseconds(value: float) -> str:
    """`0.25ms`, `12.5ms`, `1,250ms`."""
    if value < _FAST_MILLISECONDS:
        return f"{value:.2f}ms"
    return f"{value:.1f}ms" if value < _SLOW_MILLISECONDS else f"{value:,.0f}ms"


def printable(given: str) -> str:
    """A text on one line, without what would steer a terminal."""
    return _CONTROL.sub("�", _LINE_BREAK.sub(" ⏎ ", given.strip()).replace("\t", " "))


def lines(span: Span, detail: Detail, began: int) -> Iterator[Text]:
    """Attributes, then events; `began` is the start of the trace, in nanoseconds."""
    for attribute in _shown(span, detail):
        yield _line(attribute, detail)
    for event in span.get("events", ()):
        yield _event(event, began)
        if detail.everything:
            for attribute in sorted(event["attributes"], key=lambda found: found["key"]):
                yield Text("  ").append_text(_line(attribute, detail))


def _shown(span: Span, detail: Detail) -> list[Attribute]:
    service, attributes = span["service"], span["attributes"]
    if not detail.everything:
        attributes = [attribute for attribute in attributes if attribute["key"] != "service.name.override"]
        if not detail.chosen and ("inbound" in service or "outbound" in service):
            attributes = [attribute for attribute in attributes if attribute["key"] in _PROXY_KEYS]
    return sorted(attributes, key=lambda found: (_RANK.get(found["key"], len(_RANK)), found["key"]))


def _line(attribute: Attribute, detail: Detail) -> Text:
    key, value = attribute["key"], printable(text(attribute["value"]))
    if key in STATUS_KEYS and value.isdecimal():
        return Text.assemble((f"{printable(key)}: ", "dim"), _status(int(value)))
    if len(value) > _LONGEST_VALUE and not detail.everything:
        value = f"{value[:_LONGEST_VALUE]}… ({len(value):,} characters)"
    return Text.assemble((f"{printable(key)}: ", "dim"), value)


def _status(code: int) -> tuple[str, str]:
    if code < _CLIENT_ERROR:
        return str(code), "green"
    return f"{code} {_SYMBOLS.get(code, '💥' if code >= _SERVER_ERROR else '⚠')}", "red"


def _event(event: Event, began: int) -> Text:
    offset = max(int(event["timeUnixNano"] or 0) - began, 0) / 1e6
    return Text.assemble((f"◆ {milliseconds(offset)} ", "dim"), (printable(event["name"]), "yellow"))
