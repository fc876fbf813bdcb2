"""An LLM call, as its span tells it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hermesllm.prices import Rates
from hermesllm.providers import find_provider
from planoctl.obs.pricing import NO_PRICES, Prices
from planoctl.obs.spans import Event, Span, Value, attributes_of, clean, events_of, nanoseconds, status_of

# Their APIs count cache reads and writes apart from the prompt; all others count them as a part of it.
_CACHE_APART = frozenset({"anthropic", "amazon_bedrock"})
_DECIMALS = 9
_LLM = "llm"  # `component` of the gateway's spans of LLM calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One LLM call. Times in milliseconds, `start_ns` since the epoch, cost in USD; None is unknown."""

    request_id: str
    start_ns: int
    model: str
    provider: str
    request_model: str | None = None
    session_id: str | None = None
    route_name: str | None = None
    is_streaming: bool | None = None
    status_code: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None
    ttft_ms: float | None = None
    duration_ms: float | None = None
    routing_strategy: str | None = None
    routing_reason: str | None = None
    error: str | None = None
    cost_usd: float | None = None
    cache_apart: bool = False
    """Whether `prompt_tokens` leaves out what was read from, and written to, the provider's cache."""

    name: str = ""
    trace_id: str = ""
    span_id: str = ""
    end_ns: int = 0
    attributes: tuple[tuple[str, Value], ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def failed(self) -> bool:
        return (self.status_code is not None and self.status_code >= 400) or self.error is not None

    @property
    def fresh_tokens(self) -> int | None:
        """Tokens of the prompt that the provider's cache had no part in."""
        if self.prompt_tokens is None or self.cache_apart:
            return self.prompt_tokens
        return max(0, self.prompt_tokens - self._cache_tokens)

    @property
    def input_tokens(self) -> int | None:
        """Tokens of the whole prompt, cached ones included."""
        if self.prompt_tokens is None or not self.cache_apart:
            return self.prompt_tokens
        return self.prompt_tokens + self._cache_tokens

    @property
    def ms_per_token(self) -> float | None:
        """Time per token of the answer after the first byte; None where it cannot be told."""
        if self.duration_ms is None or not self.completion_tokens:
            return None
        generating = max(0.0, self.duration_ms - (self.ttft_ms or 0.0))
        return generating / self.completion_tokens if generating else None

    @property
    def tokens_per_second(self) -> float | None:
        each = self.ms_per_token
        return 1000 / each if each else None

    @property
    def _cache_tokens(self) -> int:
        return (self.cached_input_tokens or 0) + (self.cache_creation_tokens or 0)


def call_of(span: Span, prices: Prices = NO_PRICES) -> Call | None:
    """The call that a span describes, or None.

    A span is a call if it names a model in `llm.model`, or if it is the gateway's: then it may have refused the request
    before it knew which model would serve it.
    """
    attributes = attributes_of(span)
    model = _text(attributes, "llm.model")
    if model is None and _text(attributes, "component") == _LLM:
        model = _text(attributes, "model.requested") or "-"
    if model is None:
        return None
    code, message = status_of(span)
    span_id = clean(span.get("spanId") or "")
    call = Call(
        request_id=_text(attributes, "request_id") or _text(attributes, "http.request_id") or span_id,
        start_ns=nanoseconds(span.get("startTimeUnixNano")) or time.time_ns(),
        end_ns=nanoseconds(span.get("endTimeUnixNano")),
        model=model,
        provider=_text(attributes, "llm.provider") or clean(span.get("service") or "unknown"),
        request_model=_text(attributes, "model.requested"),
        session_id=_text(attributes, "plano.session_id"),
        route_name=_text(attributes, "plano.route.name"),
        is_streaming=_truth(attributes, "llm.is_streaming"),
        status_code=_count(attributes, "http.status_code"),
        prompt_tokens=_count(attributes, "llm.usage.prompt_tokens"),
        completion_tokens=_count(attributes, "llm.usage.completion_tokens"),
        total_tokens=_count(attributes, "llm.usage.total_tokens"),
        cached_input_tokens=_count(attributes, "llm.usage.cached_input_tokens"),
        cache_creation_tokens=_count(attributes, "llm.usage.cache_creation_tokens"),
        reasoning_tokens=_count(attributes, "llm.usage.reasoning_tokens"),
        ttft_ms=_number(attributes, "llm.time_to_first_token"),
        duration_ms=_number(attributes, "llm.duration_ms"),
        routing_strategy=_text(attributes, "routing.strategy"),
        routing_reason=_text(attributes, "routing.selection_reason"),
        error=_error(attributes) or ((message or "error") if code == "error" else None),
        name=clean(span.get("name") or ""),
        trace_id=clean(span.get("traceId") or ""),
        span_id=span_id,
        attributes=tuple(attributes.items()),
        events=events_of(span),
    )
    call = replace(call, cache_apart=_cache_apart(call, attributes))
    return replace(call, cost_usd=_cost(call, attributes, prices))


def cost_of(call: Call, rates: Rates) -> float | None:
    """USD at these rates; None without token counts. Cached tokens cost what fresh ones do where no rate is known."""
    if call.prompt_tokens is None and call.completion_tokens is None:
        return None
    cached, written = call.cached_input_tokens or 0, call.cache_creation_tokens or 0
    return round(rates.usd(call.fresh_tokens or 0, call.completion_tokens or 0, cached, written), _DECIMALS)


def _cost(call: Call, attributes: Mapping[str, Value], prices: Prices) -> float | None:
    """By the user's own prices, else what the gateway noted, else by the price list."""
    rates = prices.of_user(call.provider, call.model, call.request_model)
    noted = _number(attributes, "llm.usage.total_cost_usd")
    if rates is None and noted is not None:
        return noted
    rates = rates or prices.listed(call.provider, call.model, call.request_model)
    return None if rates is None else cost_of(call, rates)


def _cache_apart(call: Call, attributes: Mapping[str, Value]) -> bool:
    """What the span says; else what the sums show; else what the provider's API does."""
    included = _truth(attributes, "llm.usage.prompt_includes_cache")
    if included is not None:
        return not included
    cached = (call.cached_input_tokens or 0) + (call.cache_creation_tokens or 0)
    if call.prompt_tokens is None or not cached:
        return False
    if cached > call.prompt_tokens or call.total_tokens == call.prompt_tokens + (call.completion_tokens or 0) + cached:
        return True
    provider = find_provider(call.provider) or find_provider(call.model.partition("/")[0])
    return provider.id in _CACHE_APART if provider else call.model.startswith("claude")


def _error(attributes: Mapping[str, Value]) -> str | None:
    return next((text for key in ("error.message", "exception.message") if (text := _text(attributes, key))), None)


def _text(attributes: Mapping[str, Value], key: str) -> str | None:
    value = attributes.get(key)
    text = "" if value is None else str(value).replace("\n", " ").strip()
    return text or None


def _truth(attributes: Mapping[str, Value], key: str) -> bool | None:
    value = attributes.get(key)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None if value is None else bool(value)


def _number(attributes: Mapping[str, Value], key: str) -> float | None:
    value = attributes.get(key)
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _count(attributes: Mapping[str, Value], key: str) -> int | None:
    number = _number(attributes, key)
    return None if number is None else int(number)
