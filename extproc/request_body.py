"""A client's request body: read once, and known for what of it may be sent on."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from extproc.content_encoding import DecodingError, TooLarge, decode_body
from hermesllm.errors import BodyTooLarge, InvalidRequest
from hermesllm.reading import request_bytes
from planoctl.config.inline_preferences import InlinePreferences, take_inline_preferences


@dataclass(slots=True)
class RequestBody:
    """`raw` is plain JSON and `document` the same parsed; `changed`: not the bytes that the client sent."""

    raw: bytes
    document: dict[str, Any]
    changed: bool
    outdated_headers: tuple[str, ...] = ()
    inline: InlinePreferences = field(default_factory=InlinePreferences)

    @classmethod
    def read(cls, encoded: bytes, content_encoding: str, limit: int) -> "RequestBody":
        """Decode and parse; `limit` bounds the decoded body, in bytes. Raises InvalidRequest and BodyTooLarge."""
        try:
            raw = decode_body(content_encoding, encoded, limit)
        except TooLarge:
            raise BodyTooLarge(limit) from None
        except DecodingError as fault:
            raise InvalidRequest(
                f"Request parsing error: {fault}", remedy="Send the body as plain JSON, or compressed with gzip."
            ) from None
        if len(raw) > limit:
            raise BodyTooLarge(limit)
        decoded = raw is not encoded
        return cls(raw, _parse(raw), decoded, ("content-encoding",) if decoded else ())

    @property
    def requested(self) -> str:
        """The model that the client names, as text."""
        return str(self.document.get("model") or "")

    @property
    def replacement(self) -> bytes | None:
        """What goes on in place of the bytes that the client sent; None: they may."""
        return self.raw if self.changed else None

    def take_inline_preferences(self) -> InlinePreferences:
        """What the request itself says about routing; no provider sees it."""
        self.inline = take_inline_preferences(self.document)
        if self.inline.changed:
            self.raw, self.changed = request_bytes(self.document), True
        return self.inline


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise InvalidRequest(
            f"Request parsing error: the body is not valid JSON: {fault}", remedy="Send one JSON object in UTF-8."
        ) from None
    if not isinstance(document, dict):
        raise InvalidRequest("Request parsing error: the body is not a JSON object", remedy="Send one JSON object.")
    return document
