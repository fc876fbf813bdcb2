"""What is known of a call besides its body, the refusal of a request, and the checks that the APIs share."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call besides its body: its headers, and the model and the wish for a stream where the path says them.

    `sse` is False where such a stream is to be one JSON array. `lenient` accepts unknown fields.
    """

    headers: Mapping[str, str]
    model: str = ""
    stream: bool = False
    sse: bool = True
    lenient: bool = False


class InvalidRequestError(Exception):
    """The real API would answer 400 to this request. `param` and `code` are OpenAI's."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def digest_of(request: Json) -> str:
    """24 hex digits that identify a request's content, streamed or not, for the ids of its answer."""
    content = {name: value for name, value in request.items() if name not in {"stream", "stream_options"}}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def signature(thinking: str) -> str:
    """The signature that the mock gives to a piece of thinking, and wants to see again."""
    return base64.b64encode(hashlib.sha256(f"plano mock thinking:{thinking}".encode()).digest()).decode()


def is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
