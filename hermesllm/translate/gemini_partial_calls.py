"""Function calls that Vertex streams in pieces (`streamFunctionCallArguments`), put together into whole ones.

The first piece has the name, later ones `partialArgs`: values, each with a JSON path of where in the arguments it
belongs, long strings in several parts. `willContinue` says of a call, and of a string, that it is not the last piece.
"""

import re
from typing import Any

from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.gemini_message import Part, finish_reason_of, parts_of, read_part

_VALUES = ("stringValue", "numberValue", "boolValue")
# One step of a singular JSON path (RFC 9535): a member by its plain or quoted name, or an element by its index.
_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,9})\]|\[(?P<quote>['"])(?P<quoted>.*?)(?<!\\)(?P=quote)\]""", re.DOTALL
)
_LONGEST_PATH = 1000  # characters; what needs more is nested beyond what can be written


class PartialCalls:
    """The calls of one candidate's stream."""

    def __init__(self) -> None:
        self._call: dict[str, Any] | None = None  # the call that is not whole yet
        self._signature = ""
        self._strings: dict[str, list[str]] = {}  # that are not whole yet, by their path

    def parts(self, candidate: dict[str, Any]) -> list[Part]:
        """The candidate's next parts, calls whole: of what is not, nothing until its last piece has come."""
        found: list[Part] = []
        for part in map(read_part, parts_of(candidate)):
            if part.kind != "call":
                found.append(part)
                continue
            if self._call is not None and text_or_empty(part.value.get("name")):
                found += self._whole()  # the call before it has ended without saying so
            if self._call is None and not ("partialArgs" in part.value or part.value.get("willContinue") is True):
                found.append(part)
                continue
            self._add(part)
            if part.value.get("willContinue") is not True:
                found += self._whole()
        if finish_reason_of(candidate):
            found += self._whole()
        return found

    def _whole(self) -> list[Part]:
        """The call that is open, as far as it came; nothing where none is."""
        if self._call is None:
            return []
        for path in list(self._strings):
            self._end_string(path)
        whole = Part("call", self._call, self._signature)
        self._call, self._signature = None, ""
        return [whole]

    def _add(self, part: Part) -> None:
        piece = part.value
        if self._call is None:
            self._call = {"args": {}}
        call = self._call
        for name in ("id", "name"):
            if text_or_empty(piece.get(name)):
                call[name] = piece[name]
        call["args"].update(object_or_empty(piece.get("args")))
        self._signature = part.signature or self._signature
        for value in objects_in(piece.get("partialArgs")):
            self._value(text_or_empty(value.get("jsonPath")), value)

    def _value(self, path: str, value: dict[str, Any]) -> None:
        text = value.get("stringValue")
        if isinstance(text, str) or path in self._strings:
            self._strings.setdefault(path, []).append(text_or_empty(text))
            if value.get("willContinue") is not True:
                self._end_string(path)
            return
        found = next((value[name] for name in _VALUES if name in value), None)
        if found is not None or "nullValue" in value:
            self._set(path, found)

    def _end_string(self, path: str) -> None:
        self._set(path, "".join(self._strings.pop(path)))

    def _set(self, path: str, value: Any) -> None:
        """Puts a value where its path says, with the objects and lists on the way there."""
        holder: Any = object_or_empty(self._call)
        step: str | int = "args"
        for match in _STEP.finditer(path[:_LONGEST_PATH]):
            following = _step(match)
            if holder is self._call and isinstance(following, int):
                return  # arguments are an object
            holder = _inside(holder, step, [] if isinstance(following, int) else {})
            step = following
        if holder is not self._call:
            _put(holder, step, value)


def _step(match: re.Match[str]) -> str | int:
    if match["index"] is not None:
        return int(match["index"])
    if match["name"] is not None:
        return match["name"]
    return re.sub(r"\\(.)", r"\1", match["quoted"])


def _inside(holder: Any, step: str | int, wanted: dict[str, Any] | list[Any]) -> Any:
    """What is at a step; made where there is nothing, or something of another kind."""
    if isinstance(holder, list) and isinstance(step, int):
        found = holder[step] if step < len(holder) else None
    else:
        found = holder.get(step)
    return found if type(found) is type(wanted) else _put(holder, step, wanted)


def _put(holder: Any, step: str | int, value: Any) -> Any:
    if isinstance(holder, dict) or (isinstance(step, int) and step < len(holder)):
        holder[step] = value
    else:
        holder.append(value)  # elements come in their order
    return value
