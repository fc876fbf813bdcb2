"""Runs cases through a gateway over real HTTP and tells what differs from what they expect."""

import asyncio
import json
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.conformance.case import Case
from tests.conformance.compare import Rules, event_differences, json_differences, text_problem
from tests.conformance.http1 import HEAD_LIMIT, Broken, Message, head, read_message
from tests.conformance.provider import CASE_HEADER, Call, FakeProvider
from tests.conformance.sse import parse

_PATHS = {"chat": "/v1/chat/completions", "anthropic": "/v1/messages", "responses": "/v1/responses"}
_HEADERS = {
    "chat": {"authorization": "Bearer conformance-client"},
    "anthropic": {"x-api-key": "conformance-client", "anthropic-version": "2023-06-01"},
    "responses": {"authorization": "Bearer conformance-client"},
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`serial`: one request at a time, for gateways that do not pass unknown headers on to providers."""

    gateway_url: str
    provider_port: int
    provider_host: str = "127.0.0.1"
    model_prefix: str = ""
    concurrency: int = 16
    serial: bool = False
    timeout_seconds: float = 20


@dataclass(slots=True)
class Result:
    """What one case came to: for each variant that failed, what was wrong."""

    case: Case
    variants: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.faults


async def run_cases(cases: Sequence[Case], settings: Settings) -> list[Result]:
    """Runs every variant of every case; results in the order of `cases`."""
    provider = FakeProvider(serial=settings.serial)
    gate = asyncio.Semaphore(1 if settings.serial else settings.concurrency)
    async with provider.listening(settings.provider_host, settings.provider_port):
        run = _Run(provider, settings, gate)
        return list(await asyncio.gather(*(run.case(case) for case in cases)))


class _Run:
    def __init__(self, provider: FakeProvider, settings: Settings, gate: asyncio.Semaphore) -> None:
        self._provider = provider
        self._settings = settings
        self._gate = gate
        self._started = 0

    async def case(self, case: Case) -> Result:
        result = Result(case)
        for variant in case.variants():
            async with self._gate:
                faults = await self._variant(Call(case, variant))
            result.variants += 1
            if faults:
                result.faults[variant.name] = faults
        return result

    async def _variant(self, call: Call) -> list[str]:
        self._started += 1
        key = str(self._started)
        self._provider.expect(key, call)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                response = await self._ask(call.case, key)
        except TimeoutError:
            return [f"client: no complete answer within {self._settings.timeout_seconds:g} s"]
        except (Broken, OSError) as fault:
            return [f"client: no answer ({fault})"]
        finally:
            self._provider.forget(key)
        return [*_upstream_faults(call), *_client_faults(call.case, response)]

    async def _ask(self, case: Case, key: str) -> Message:
        """Raises Broken, OSError."""
        url = urlsplit(self._settings.gateway_url)
        secure = ssl.create_default_context() if url.scheme == "https" else None
        port = url.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=secure, limit=HEAD_LIMIT)
        try:
            writer.write(self._request(case, key, url.netloc, url.path.rstrip("/")))
            await writer.drain()
            response = await read_message(reader, until_close=True)
        finally:
            writer.close()
        if response is None:
            raise Broken("the gateway closed the connection")
        return response

    def _request(self, case: Case, key: str, host: str, base: str) -> bytes:
        document = dict(case.request)
        if self._settings.model_prefix and isinstance(document.get("model"), str):
            document["model"] = self._settings.model_prefix + document["model"]
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {
            "host": host,
            "content-type": "application/json",
            **_HEADERS[case.client],
            **{name.lower(): value for name, value in case.client_headers.items()},
            CASE_HEADER: key,
            "content-length": str(len(body)),
            "connection": "close",
        }
        path = case.client_path or _PATHS[case.client]
        return head(f"POST {base}{path} HTTP/1.1", headers) + body


def _upstream_faults(call: Call) -> Iterator[str]:
    """What is wrong with the request that the provider got."""
    case = call.case
    if case.answer is None:
        if call.received:
            yield "provider: called, though this case must not reach it"
        return
    if not call.received:
        yield "provider: was not called"
        return
    request = call.received[-1]
    if case.upstream_path is not None and request.target != case.upstream_path:
        yield f"provider: expected the path {case.upstream_path}, got {request.target}"
    yield from (f"provider: {line}" for line in _header_faults(case.upstream_request_headers, request.headers))
    if case.upstream_request is None:
        return
    try:
        body = json.loads(request.body)
    except ValueError:
        yield f"provider: got a body that is not JSON: {request.body[:200]!r}"
        return
    yield from (f"provider: {line}" for line in json_differences(case.upstream_request, body))


def _client_faults(case: Case, response: Message) -> Iterator[str]:
    """What is wrong with the answer that the client got."""
    if response.status != case.status:
        yield f"client: expected status {case.status}, got {response.status}: {response.body[:500]!r}"
        return
    if response.cut:
        yield "client: the body ended before the message did"
    yield from (f"client: {line}" for line in _header_faults(case.response_headers, response.headers))
    content_type = response.headers.get("content-type", "")
    rules = Rules(case.ignore, case.contains, case.optional)
    if case.response_stream is not None:
        if not content_type.startswith("text/event-stream"):
            yield f"client: expected text/event-stream, got content-type {content_type!r}"
        problem = text_problem(response.body)
        if problem:
            yield f"client: {problem}"
        differences = event_differences(parse(case.response_stream), parse(response.body), rules)
        yield from (f"client: {line}" for line in differences)
        return
    if not content_type.startswith("application/json"):
        yield f"client: expected application/json, got content-type {content_type!r}"
    try:
        body = json.loads(response.body)
    except ValueError:
        yield f"client: got a body that is not JSON: {response.body[:200]!r}"
        return
    yield from (f"client: {line}" for line in json_differences(case.response, body, rules))


def _header_faults(expected: dict[str, str], headers: dict[str, str]) -> Iterator[str]:
    for name, value in expected.items():
        found = headers.get(name.lower())
        if found != value:
            yield f"expected the header {name}: {value}, got {found!r}"
