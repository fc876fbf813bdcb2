"""OpenAI's embeddings: a vector of length 1 for each text, always the same one for the same text.

https://platform.openai.com/docs/api-reference/embeddings
"""

import base64
import hashlib
import math
import struct

from planoctl.mock_provider.answers import tokens
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json, is_integer

_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
_DIMENSIONS = 1536


def embed(request: Json, call: Call) -> Json:
    """The list of embeddings; raises `InvalidRequestError`."""
    for name in request:
        if name not in _FIELDS and not call.lenient:
            raise InvalidRequestError(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if not isinstance(request.get("model"), str):
        raise InvalidRequestError("you must provide a model parameter")
    encoding = request.get("encoding_format") or "float"
    if encoding not in {"float", "base64"}:
        raise InvalidRequestError(
            f"Invalid value: '{encoding}'. Supported values are: 'float', 'base64'.", "encoding_format", "invalid_value"
        )
    size = request.get("dimensions") or _DIMENSIONS
    if not is_integer(size) or not 1 <= size <= _DIMENSIONS:
        raise InvalidRequestError(f"'dimensions' must be a number from 1 to {_DIMENSIONS}.", "dimensions")
    texts = _texts(request.get("input"))
    used = sum(map(tokens, texts))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(_vector(text, size), encoding)}
            for index, text in enumerate(texts)
        ],
        "model": split_model(request["model"])[0],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _texts(given: object) -> list[str]:
    """The inputs as texts; tokens are written as their numbers."""
    if isinstance(given, str) and given:
        return [given]
    if isinstance(given, list) and given:
        if all(is_integer(token) for token in given):
            return [" ".join(map(str, given))]
        if all(isinstance(each, str | list) and each for each in given):
            return [each if isinstance(each, str) else " ".join(map(str, each)) for each in given]
    raise InvalidRequestError("'input' must be a text, or an array of texts or tokens, none empty.", "input")


def _vector(text: str, size: int) -> list[float]:
    numbers = [byte - 127.5 for byte in hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(size)]
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _encoded(vector: list[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
