"""The errors of translation, and how an error looks in each client format.

GatewayError                 anything a client is told: status, code, provider, model, remedy
├── BodyTooLarge             413
├── InvalidRequest           400: the client's request is wrong
│   └── Untranslatable       400: right in the client's format, impossible in the provider's
└── InvalidUpstreamResponse  502: the provider's answer is not what its API promises
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from hermesllm.formats import Format


class GatewayError(Exception):
    """An error for a client. `status` is the HTTP status, `code` a stable word, `remedy` what the reader can do.

    `headers` go with the answer where the error is the whole of it.
    """

    status = 500
    code = "internal_error"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or type(self).status
        self.code = code or type(self).code
        self.param = param
        self.provider = provider
        self.model = model
        self.remedy = remedy

    def report(self) -> "ErrorReport":
        return ErrorReport(
            status=self.status,
            message=self.message,
            code=self.code,
            param=self.param,
            provider=self.provider,
            model=self.model,
            remedy=self.remedy,
        )


class InvalidRequest(GatewayError):
    status = 400
    code = "invalid_request"


class BodyTooLarge(GatewayError):
    """`limit` in bytes."""

    status = 413
    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The request body is larger than the limit of {limit} bytes",
            remedy="Send a smaller body, or raise max_request_bytes of the listener or of overrides.",
        )


class Untranslatable(InvalidRequest):
    code = "untranslatable"


class InvalidUpstreamResponse(GatewayError):
    status = 502
    code = "invalid_upstream_response"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """What a client is told of an error, before it takes the shape of the client's API.

    `type` is the provider's own error type where it had one (`rate_limit_error`, `invalid_request_error`); it means
    something only to clients of the format it comes from, `origin`.
    """

    status: int
    message: str
    type: str | None = None
    origin: Format | None = None
    code: str | None = None
    param: str | None = None
    provider: str | None = None
    model: str | None = None
    remedy: str | None = None
    request_id: str | None = None

    def about(self, **changes: Any) -> "ErrorReport":
        return replace(self, **changes)
