"""The refusal of a request, and the checks that both APIs share."""

import hashlib
import json
from typing import Any, TypeGuard

Json = dict[str, Any]


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


def is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
