"""The sidecar's part of the error tree: what can go wrong before a request has a provider, or on the way to it.

GatewayError (hermesllm.errors)
├── Unauthenticated       401: no gateway key or token, or none that is right
├── TokenKeysUnavailable  503: the key set that tokens are checked with is not there
├── NoModelSpecified      400
├── ModelNotFound         404
├── UnknownPath           404
├── MethodNotAllowed      405
├── NoCredential          400: the configuration has no key for the provider
├── RequestTooSlow        408
├── RateLimited           429: the gateway's own limits
├── LimitsUnavailable     503: the store of limits is away, and `rate_limit_store.on_error: deny`
├── FiltersUnavailable    501: the listener has filters that cannot run
├── RoutingUnavailable    503: no routing decision, and `routing.on_error: fail`
├── ConfigurationChanged  503: the configuration changed between two attempts
└── UpstreamUnavailable   502, 503, 504: Envoy could not get an answer from the provider
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hermesllm.errors import BodyTooLarge, GatewayError, InvalidRequest
from hermesllm.formats import CLIENT_ENDPOINTS

_LISTED = 20


class Unauthenticated(GatewayError):
    """Says nothing of what was presented: it could be a key with a slip of the pen."""

    status = 401
    code = "invalid_api_key"
    headers = MappingProxyType({"www-authenticate": 'Bearer realm="plano"'})

    def __init__(self, listener: str, reason: str, accepted: str) -> None:
        super().__init__(
            f"Listener '{listener}' {reason}",
            remedy=f"Send {accepted} as `Authorization: Bearer`, `x-api-key`, `api-key`, `x-goog-api-key` or "
            "`x-plano-key`; who runs the gateway finds what is accepted in `auth` of this listener.",
        )


class TokenKeysUnavailable(GatewayError):
    status = 503
    code = "jwks_unavailable"

    def __init__(self, listener: str) -> None:
        super().__init__(
            f"Listener '{listener}' cannot check tokens: the issuer's key set is not available",
            remedy="Try again shortly; if it lasts, check jwks_url of this listener.",
        )


class NoModelSpecified(InvalidRequest):
    code = "no_model_specified"

    def __init__(self) -> None:
        super().__init__(
            "No model specified in request and no default provider configured",
            param="model",
            remedy="Name a model in the request body, or mark one entry of model_providers with `default: true`.",
        )


class ModelNotFound(GatewayError):
    status = 404
    code = "model_not_found"

    def __init__(self, model: str, configured: Sequence[str], *, param: str = "model") -> None:
        shown = ", ".join(configured[:_LISTED]) or "none"
        more = f" and {len(configured) - _LISTED} more (GET /v1/models lists all)" if len(configured) > _LISTED else ""
        super().__init__(
            f"Model '{model[:200]}' not found in configured providers",
            param=param,
            model=model[:200],
            remedy=f"Use one of the configured models: {shown}{more}.",
        )


class UnknownPath(GatewayError):
    status = 404
    code = "unknown_path"

    def __init__(self, path: str) -> None:
        served = ", ".join(f"POST {endpoint.path}" for endpoint in CLIENT_ENDPOINTS)
        super().__init__(
            f"Unsupported endpoint: {path.partition('?')[0][:200]}",
            remedy=f"This listener serves {served}, GET /v1/models and GET /healthz.",
        )


class MethodNotAllowed(GatewayError):
    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, path: str) -> None:
        bare = path.partition("?")[0]
        super().__init__(f"{method} is not allowed on {bare[:200]}", remedy=f"Send POST {bare[:200]}.")


class NoCredential(InvalidRequest):
    code = "no_access_key"

    def __init__(self, name: str, provider: str, model: str) -> None:
        super().__init__(
            f'No access key configured for selected LLM Provider "{name}"',
            provider=provider,
            model=model,
            remedy="Set access_key for this entry of model_providers, or passthrough_auth: true to forward the "
            "client's own key.",
        )


class RateLimited(GatewayError):
    """`headers` go with the answer: when to try again, and how the limits stand."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, model: str, remedy: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, model=model, remedy=remedy)
        self.headers = headers


class LimitsUnavailable(GatewayError):
    status = 503
    code = "rate_limits_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The rate limits of this gateway cannot be checked now",
            remedy="Try again shortly. The operator finds the reason in the sidecar's log; with "
            "`rate_limit_store.on_error: allow` such requests are served.",
        )


class RequestTooSlow(GatewayError):
    status = 408
    code = "request_timeout"

    def __init__(self) -> None:
        super().__init__(
            "The request body did not arrive in time",
            remedy="Send the whole request body without long pauses, or raise the listener's `timeout`.",
        )


class FiltersUnavailable(GatewayError):
    status = 501
    code = "filters_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "This listener has input_filters or output_filters, which this version cannot run",
            remedy="Remove them from the listener to serve requests without filters.",
        )


class RoutingUnavailable(GatewayError):
    status = 503
    code = "routing_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Failed to determine route: {reason}",
            remedy="Try again; with `routing.on_error: fallback` such requests go to the model that they name.",
        )


class ConfigurationChanged(GatewayError):
    status = 503
    code = "configuration_changed"

    def __init__(self) -> None:
        super().__init__(
            "The configuration changed while the request was being tried, and has not its next model any more",
            remedy="Send the request again.",
        )


class UpstreamUnavailable(GatewayError):
    status = 503
    code = "provider_unavailable"


def local_error(status: int, limit: int) -> GatewayError:
    """Envoy refused the request before it had a provider; `limit` is the largest body, in bytes."""
    if status == BodyTooLarge.status:
        return BodyTooLarge(limit)
    if status == RequestTooSlow.status:
        return RequestTooSlow()
    return GatewayError(
        f"The gateway answered {status} before the request had a provider",
        status=status,
        code="gateway_error",
        remedy="Look at the gateway's access log for this request id.",
    )
