"""Asks a routing model, over the Chat Completions API, which routes fit a conversation."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from brightstaff.orchestrator.answer import UnreadableAnswer, answered_text, error_message
from brightstaff.orchestrator.parsing import chosen_routes
from brightstaff.orchestrator.prompt import PromptStyle, RouteOption, prompt_style
from brightstaff.orchestrator.trimming import Message
from brightstaff.routing.types import NO_HEADERS, Choice, Router, RoutingFailed, Turn
from planoctl.config.headers import PROVIDER_HINT
from planoctl.config.runtime import Overrides, RoutingPreference

_log = logging.getLogger(__name__)

_TRACE_CONTEXT = frozenset({"traceparent", "tracestate"})
_TEMPERATURE = 0.01
_CONNECT_SECONDS = 2.0
_MAX_ANSWER_BYTES = 256 * 1024
_AT_ONCE = 256
# No limit in the pool: httpcore 1.0 loses a connection's place for good when a request is cancelled that waits for one
# (encode/httpcore#1093). The gate of the router limits instead.
_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=90)


@dataclass(frozen=True, slots=True)
class RoutingModel:
    """A routing model and how to ask it.

    `endpoint`: base URL without `/v1`; `model`: the id it is asked under; `provider`: its name in the configuration,
    by which Envoy finds it; `budget`: tokens of a prompt; `timeout`: seconds for a whole decision.
    """

    endpoint: str
    model: str
    provider: str
    style: PromptStyle
    budget: int
    timeout: float

    @classmethod
    def configured(cls, overrides: Overrides, *, endpoint: str, model: str, provider: str) -> "RoutingModel":
        style = prompt_style(model, overrides.routing_prompt)
        budget = overrides.orchestrator_model_context_length or style.budget
        return cls(endpoint, model, provider, style, budget, overrides.routing_timeout_ms / 1000)


def routing_client(socket: Path | None = None) -> httpx.AsyncClient:
    """The connections to routing models, shared by all decisions; to be closed at the end of the process.

    `socket`: the Unix socket that takes all of them, whatever the URL.
    """
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=None if socket is None else str(socket), limits=_CONNECTIONS),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
    )


class OrchestratorRouter(Router):
    """Decides by asking `model`. Failures are RoutingFailed with code `timeout`, `connect`, `status` or `parse`.

    At most `at_once` decisions are under way; others wait, and their time runs. `key`: where no gateway stands in
    between that adds the provider's.
    """

    def __init__(
        self, model: RoutingModel, client: httpx.AsyncClient, *, at_once: int = _AT_ONCE, key: str | None = None
    ) -> None:
        self._model = model
        self._client = client
        self._gate = asyncio.Semaphore(at_once)
        self._url = httpx.URL(model.endpoint.rstrip("/") + "/v1/chat/completions")
        self._headers = [
            (b"content-type", b"application/json"),
            (b"accept-encoding", b"identity"),
            (PROVIDER_HINT.encode(), model.provider.encode()),
            (b"model", model.style.header.encode()),
        ]
        if key:
            self._headers.append((b"authorization", f"Bearer {key}".encode()))

    async def choose(
        self,
        preferences: Sequence[RoutingPreference],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Choice:
        routes = [RouteOption(preference.name, preference.description) for preference in preferences]
        chosen = await self.choose_all(routes, conversation, request_id=request_id, headers=headers)
        return Choice(chosen[0] if chosen else None)

    async def choose_all(
        self,
        routes: Sequence[RouteOption],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> list[str]:
        """The names of all routes that fit, best first. Of `headers` only the trace context is sent on.

        The model is not asked where there is nothing to choose from or to go by. Raises RoutingFailed.
        """
        messages = [(turn.role, turn.text) for turn in conversation if turn.text]
        if not routes or not messages:
            return []
        started = time.monotonic()
        content = await self._ask(self._body(routes, messages), self._all_headers(request_id, headers))
        try:
            chosen = chosen_routes(content, [route.name for route in routes])
        except UnreadableAnswer as problem:
            raise RoutingFailed(f"Orchestrator model error: {problem}", code="parse") from None
        milliseconds = (time.monotonic() - started) * 1000
        _log.debug("routes %s chosen in %.0f ms from the answer %.200r", chosen, milliseconds, content)
        return chosen

    def _body(self, routes: Sequence[RouteOption], messages: Sequence[Message]) -> bytes:
        prompt = self._model.style.prompt(routes, messages, self._model.budget)
        request = {
            "messages": [{"role": "user", "content": prompt}],
            "model": self._model.model,
            "temperature": _TEMPERATURE,
        }
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")

    def _all_headers(self, request_id: str | None, given: Mapping[str, str]) -> httpx.Headers:
        passed_on = {name.lower(): value for name, value in given.items() if name.lower() in _TRACE_CONTEXT}
        if request_id:
            passed_on["x-request-id"] = request_id
        sendable = [(name.encode(), value.encode()) for name, value in passed_on.items() if _is_header_value(value)]
        return httpx.Headers([*sendable, *self._headers])

    async def _ask(self, body: bytes, headers: httpx.Headers) -> str:
        """What the model answers; empty if it has nothing to say."""
        try:
            async with asyncio.timeout(self._model.timeout), self._gate:
                status, answer = await self._post(body, headers)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            milliseconds = round(self._model.timeout * 1000)
            raise RoutingFailed(f"no answer from the routing model within {milliseconds} ms", code="timeout") from None
        except httpx.HTTPError as problem:
            reason = f"the routing model cannot be reached: {type(problem).__name__}: {problem}"
            raise RoutingFailed(reason, code="connect") from None
        if not 200 <= status < 300:
            raise RoutingFailed(f"Upstream returned {status}: {error_message(answer)}", code="status")
        try:
            return answered_text(answer)
        except UnreadableAnswer as problem:
            raise RoutingFailed(f"Failed to parse JSON response: {problem}", code="parse") from None

    async def _post(self, body: bytes, headers: httpx.Headers) -> tuple[int, bytes]:
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            answer = bytearray()
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) > _MAX_ANSWER_BYTES:
                    break
            return response.status_code, bytes(answer[:_MAX_ANSWER_BYTES])


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable()
