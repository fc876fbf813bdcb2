"""Server-sent events as the WHATWG HTML standard reads them, from a whole stream."""

import json
import re
from typing import Any, NamedTuple

_LINE_END = re.compile(r"\r\n|\r|\n")


class Event(NamedTuple):
    """One event: its name ("" where it has none) and its data, parsed where that is JSON."""

    name: str
    data: Any

    def __str__(self) -> str:
        data = self.data if isinstance(self.data, str) else json.dumps(self.data, ensure_ascii=False, sort_keys=True)
        return f"{self.name or '(no name)'} {data}"


def parse(stream: bytes) -> list[Event]:
    """The events of a stream. Comments, `id` and `retry` are read over; a last event needs no blank line."""
    events = []
    name, data = "", list[str]()
    for line in [*_LINE_END.split(stream.decode("utf-8", "replace").removeprefix("\ufeff")), ""]:
        if not line:
            if name or data:
                events.append(Event(name, _value("\n".join(data))))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
    return events


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
