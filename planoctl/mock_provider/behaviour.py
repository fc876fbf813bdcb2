"""What a request may ask the mock to do wrong: one grammar for the header and for the model name.

    x-mock-behaviour: status=429;retry-after=3
    "model": "mock-gpt@status=429;retry-after=3"

    behaviour = item *( ";" item )        spaces around items are ignored
    item      = name [ "=" value ]        a name without value switches the behaviour on

Both may be given; the header wins item by item. `BEHAVIOURS` lists the items.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

HEADER = "x-mock-behaviour"
MODEL_SEPARATOR = "@"

BEHAVIOURS = {
    "status": "=NNN: answer this status (400-599) with the API's error body; 429 carries retry-after",
    "retry-after": "=SECONDS: value of the retry-after header of an error (1 for a 429 otherwise)",
    "html": "=NNN: answer this status with an HTML error page, as a proxy in front of the provider would",
    "first": "=N: misbehave for the first N requests with exactly this text, then answer well",
    "delay": "=SECONDS: wait before the first byte",
    "gap": "=SECONDS: wait between events (between pieces with chunk or dribble)",
    "plain": "answer a request for a stream with one JSON body, as a server that ignores `stream` does",
    "malformed": "a JSON body that does not parse; a stream with garbage (a wrong checksum) after its first event",
    "cut": "=N: close the connection after N events (0 when no N is given), or halfway through a JSON body",
    "cutclean": "=N: end correctly after N events, without finish event; half a JSON body with a fitting length",
    "stall": "=N: send N events, or half a JSON body, then nothing until the client goes away",
    "dribble": "send the body one byte at a time",
    "chunk": "=N: send the body in pieces of N bytes, wherever the events end",
    "crlf": "end the lines of an SSE stream with CR LF",
    "comments": "a comment line before each event of an SSE stream",
    "error-event": "=N: an error event after N events, and nothing after it",
    "noreason": "leave the finish reason out",
    "empty": "a 200 without a body",
    "reset": "reset the connection (RST) instead of an answer",
    "reset-after": "=N: reset it after the headers and N events (0 when no N is given), or halfway through a body",
    "close": "close the connection instead of an answer",
    "hang": "answer nothing until the client goes away",
    "garbage": "bytes that are no HTTP instead of an answer",
    "big": "=BYTES: a text of this size",
    "proxied": "headers that proxies in front of a provider add: server, via, alt-svc, x-envoy-*, x-arch-*, x-plano-*",
    "gzip": "compress the body, whatever the client accepts",
    "lenient": "accept unknown fields, as many OpenAI-compatible servers do",
}


class BehaviourError(ValueError):
    """The text does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one request is to be answered. Times are in seconds; `None` and `False` mean: behave well."""

    status: int | None = None
    retry_after: int | None = None
    html: int | None = None
    first: int | None = None
    delay: float = 0.0
    gap: float = 0.0
    plain: bool = False
    malformed: bool = False
    cut: int | None = None
    cutclean: int | None = None
    stall: int | None = None
    dribble: bool = False
    chunk: int | None = None
    crlf: bool = False
    comments: bool = False
    error_event: int | None = None
    noreason: bool = False
    empty: bool = False
    reset: bool = False
    reset_after: int | None = None
    close: bool = False
    hang: bool = False
    garbage: bool = False
    big: int | None = None
    proxied: bool = False
    gzip: bool = False
    lenient: bool = False

    @property
    def text(self) -> str:
        """A short name of this behaviour, equal for equal behaviours."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def without_faults(self) -> "Behaviour":
        """The same request answered well."""
        return Behaviour(big=self.big, lenient=self.lenient)


def _status(value: str) -> int:
    number = int(value)
    if not 400 <= number <= 599:
        raise ValueError
    return number


def _count(value: str) -> int:
    number = int(value or "0")
    if number < 0:
        raise ValueError
    return number


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError
    return number


def _seconds(value: str) -> float:
    number = float(value)
    if not 0 <= number <= 86400:
        raise ValueError
    return number


def _switch(value: str) -> bool:
    if value not in {"", "1", "true"}:
        raise ValueError
    return True


_VALUES: dict[str, Callable[[str], object]] = {
    "status": _status,
    "html": _status,
    "retry-after": _count,
    "first": _positive,
    "delay": _seconds,
    "gap": _seconds,
    "cut": _count,
    "cutclean": _count,
    "stall": _count,
    "reset-after": _count,
    "error-event": _count,
    "chunk": _positive,
    "big": _positive,
}


def parse(text: str) -> dict[str, object]:
    """`status=429;gap=0.1` → `{"status": 429, "gap": 0.1}`, keyed by the fields of `Behaviour`."""
    fields: dict[str, object] = {}
    for item in text.split(";"):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name:
            continue
        if name not in BEHAVIOURS:
            raise BehaviourError(f"unknown mock behaviour {name!r}; known: {', '.join(BEHAVIOURS)}")
        try:
            fields[name.replace("-", "_")] = _VALUES.get(name, _switch)(value)
        except ValueError:
            raise BehaviourError(f"mock behaviour {name!r} cannot be {value!r}; {name}{BEHAVIOURS[name]}") from None
    return fields


def split_model(model: str) -> tuple[str, str]:
    """`mock-gpt@status=429` → (`mock-gpt`, `status=429`). A version like `claude@20250101` stays whole."""
    name, separator, text = model.partition(MODEL_SEPARATOR)
    first_item = text.split(";")[0].partition("=")[0].strip()
    return (name, text) if separator and first_item in BEHAVIOURS else (model, "")


def of_request(header: str, model: object) -> Behaviour:
    """The behaviour that a request asks for, by its header and its model's name."""
    _, suffix = split_model(model) if isinstance(model, str) else ("", "")
    return dataclasses.replace(Behaviour(), **parse(suffix) | parse(header))  # type: ignore[arg-type]
