"""Replacing `model` in a JSON body without writing the rest anew: every other byte stays the client's."""

import re
from typing import Any

import orjson

_MEMBER = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*"((?:[^"\\]|\\.)*)"')
_KEY = b'"model"'
_ESCAPED_LETTERS = b"\\u006"  # a key could spell one of m, o, d, e, l as \u006x


def replace_model(raw: bytes, old: Any, new: str) -> bytes | None:
    """`raw` with the value of its top-level `model` replaced, or None where only a full rewrite is safe.

    It is safe when the text `"model"` occurs once and nothing can spell the key with escapes: the parsed top-level
    member is then that one.
    """
    if not isinstance(old, str) or raw.count(_KEY) != 1 or _ESCAPED_LETTERS in raw:
        return None
    member = _MEMBER.search(raw)
    if member is None or orjson.loads(b'"' + member[1] + b'"') != old:
        return None
    value = orjson.dumps(new)
    return b"".join((raw[: member.start(1) - 1], value, raw[member.end(1) + 1 :]))
