"""Reading JSON that others wrote: requests strictly, with the path in the error; provider answers leniently."""

from collections.abc import Iterator
from typing import Any

import orjson

from hermesllm.errors import InvalidRequest

_TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def _type_name(value: Any) -> str:
    return "nothing" if value is None else _TYPE_NAMES.get(type(value), "something else")


def invalid(loc: str, problem: str) -> InvalidRequest:
    """A request error at `loc`, a path such as `messages[0].role`. `problem` must not repeat what the client sent."""
    return InvalidRequest(f"{loc}: {problem}", param=loc)


def required_object(value: Any, loc: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(loc, f"expected an object, got {_type_name(value)}")
    return value


def required_list(value: Any, loc: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(loc, f"expected a list, got {_type_name(value)}")
    return value


def required_text(value: Any, loc: str) -> str:
    if not isinstance(value, str):
        raise invalid(loc, f"expected a string, got {_type_name(value)}")
    return value


def optional_object(value: Any, loc: str) -> dict[str, Any]:
    return {} if value is None else required_object(value, loc)


def optional_list(value: Any, loc: str) -> list[Any]:
    return [] if value is None else required_list(value, loc)


def optional_text(value: Any, loc: str) -> str:
    return "" if value is None else required_text(value, loc)


def required_messages(body: dict[str, Any]) -> list[Any]:
    """The `messages` of a request: the one member every conversation needs."""
    messages = required_list(body.get("messages"), "messages")
    if not messages:
        raise invalid("messages", "expected at least one message")
    return messages


def compact_json(value: Any, loc: str) -> str:
    """`value` as JSON text; what the encoder refuses (nesting deeper than 254) is the client's mistake."""
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise invalid(loc, "cannot be written as JSON: nested too deeply or out of range") from error


def request_bytes(body: dict[str, Any]) -> bytes:
    """A request as it goes out. Raises InvalidRequest for what the encoder refuses, such as nesting beyond 254."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise InvalidRequest("The request cannot be written as JSON: nested too deeply or out of range.") from error


def object_or_empty(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list; anything else is passed over."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def count_or_none(value: Any) -> int | None:
    """A token count; some providers write it as a float, a few as -1 for "unknown"."""
    if type(value) in (int, float) and 0 <= value < 2**53:
        return int(value)
    return None
