"""The mock's HTTP surface: which API a request speaks, what it is answered, what is recorded of it."""

import asyncio
import collections
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planoctl.mock_provider import anthropic, behaviour, openai
from planoctl.mock_provider.answers import Answer, Turn, answer
from planoctl.mock_provider.behaviour import Behaviour, BehaviourError
from planoctl.mock_provider.faults import Delivery, Reset
from planoctl.mock_provider.validation import InvalidRequestError, Json

MODELS = ["mock-gpt", "mock-gpt-mini", "mock-claude"]
_REMEMBERED = 1000
_HTML = (
    "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad Gateway</h1>"
    "</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class _Read(Protocol):
    def __call__(self, request: Json, headers: Mapping[str, str], /, *, lenient: bool = False) -> Turn: ...


class _Error(Protocol):
    def __call__(self, status: int, message: str, /, *, param: str | None = None, code: str | None = None) -> Json: ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API that the mock speaks."""

    read: _Read
    body: Callable[[Turn, Answer], Json]
    events: Callable[[Turn, Answer], Iterable[bytes]]
    error: _Error
    error_event: Callable[[str], bytes]
    models: Callable[[list[str]], Json]
    request_id_header: str


OPENAI = Api(
    openai.read,
    openai.body,
    openai.events,
    openai.error,
    openai.error_event,
    openai.models,
    openai.REQUEST_ID_HEADER,
)
ANTHROPIC = Api(
    anthropic.read,
    anthropic.body,
    anthropic.events,
    anthropic.error,
    anthropic.error_event,
    anthropic.models,
    anthropic.REQUEST_ID_HEADER,
)
_ENDPOINTS = {"/chat/completions": OPENAI, "/messages": ANTHROPIC}


class Recorder:
    """Keeps what the mock received: the last requests in memory, and all of them in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.requests: collections.deque[Json] = collections.deque(maxlen=_REMEMBERED)

    def add(self, request: Request, body: bytes) -> Json:
        """Records one request; returns its record."""
        try:
            content: object = json.loads(body) if body else None
        except ValueError:
            content = body.decode("utf-8", "replace")
        record: Json = {
            "method": request.method,
            "path": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "headers": {name: ", ".join(request.headers.getlist(name)) for name in request.headers},
            "body": content,
        }
        self.requests.append(record)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        return record


class MockProvider:
    """Answers the requests of one mock. `key` is the credential that it wants, if any."""

    def __init__(self, key: str | None, recorder: Recorder) -> None:
        self._key = key
        self._recorder = recorder
        self._seen: collections.Counter[str] = collections.Counter()

    async def handle(self, request: Request) -> Response:
        """Answers one request of any method and path."""
        record = self._recorder.add(request, await request.body())
        path = request.url.path.rstrip("/")
        api = next((api for suffix, api in _ENDPOINTS.items() if path.endswith(suffix)), None)
        if path == "/healthz":
            return JSONResponse({"status": "ok"})
        if not self._authorised(request):
            message = "Incorrect API key provided. The mock wants the key that it was started with."
            return _error(api or _api_of(request), 401, message, code="invalid_api_key")
        if request.method == "GET" and (path.endswith("/models") or "/models/" in path):
            return _models(_api_of(request), path)
        if api is None or request.method != "POST":
            return _error(api or _api_of(request), 404, f"Invalid URL ({request.method} {request.url.path})")
        return await self._converse(api, request, record["body"])

    def _authorised(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = {bearer, request.headers.get("x-api-key"), request.headers.get("api-key")}
        return self._key is None or self._key in given

    async def _converse(self, api: Api, request: Request, body: object) -> Response:
        if not isinstance(body, dict):
            return _error(api, 400, "We could not parse the JSON body of your request.")
        try:
            wanted = behaviour.of_request(request.headers.get(behaviour.HEADER, ""), body.get("model"))
        except BehaviourError as fault:
            return _error(api, 400, str(fault), param=behaviour.HEADER)
        wanted = self._due(wanted)
        await asyncio.sleep(wanted.delay)
        if wanted.reset:
            return Reset()
        if wanted.html is not None:
            return Response(_HTML.format(status=wanted.html), wanted.html, media_type="text/html")
        if wanted.status is not None:
            return _error(api, wanted.status, f"The mock was asked for status {wanted.status}.", wanted=wanted)
        try:
            turn = api.read(body, request.headers, lenient=wanted.lenient)
        except InvalidRequestError as refusal:
            return _error(api, 400, refusal.message, param=refusal.param, code=refusal.code)
        return _answer(api, turn, wanted)

    def _due(self, wanted: Behaviour) -> Behaviour:
        """The behaviour itself, or a good one after the `first` requests that asked for it."""
        if wanted.first is None:
            return wanted
        self._seen[wanted.text] += 1
        return wanted if self._seen[wanted.text] <= wanted.first else wanted.without_faults()


def create_app(key: str | None = None, record: Path | None = None) -> Starlette:
    """The mock as an ASGI application; the last requests are in `app.state.requests`.

    `cut` and `reset` need the connection, so run it with `planoctl.mock_provider.server`.
    """
    recorder = Recorder(record)
    provider = MockProvider(key, recorder)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", provider.handle, methods=methods)])
    app.state.requests = recorder.requests
    return app


def _answer(api: Api, turn: Turn, wanted: Behaviour) -> Response:
    said = answer(turn, big=wanted.big, reason=not wanted.noreason)
    headers = {api.request_id_header: f"req_{turn.digest}"}
    if wanted.plain or not turn.stream:
        body = json.dumps(api.body(turn, said), ensure_ascii=False).encode()
        return Delivery(wanted, headers=headers | {"content-type": "application/json"}, body=body)
    return Delivery(
        wanted,
        headers=headers | {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"},
        events=api.events(turn, said),
        error_event=api.error_event("The mock was asked for an error in the stream."),
    )


def _error(
    api: Api,
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    wanted: Behaviour | None = None,
) -> Response:
    headers = {api.request_id_header: "req_mock", "content-type": "application/json"}
    wanted = wanted or Behaviour()
    retry_after = wanted.retry_after or (1 if status == 429 else None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    body = json.dumps(api.error(status, message, param=param, code=code), ensure_ascii=False).encode()
    return Delivery(wanted, status=status, headers=headers, body=body)


def _api_of(request: Request) -> Api:
    """The API whose shapes a request without an endpoint of its own expects."""
    return ANTHROPIC if "anthropic-version" in request.headers or "x-api-key" in request.headers else OPENAI


def _models(api: Api, path: str) -> Response:
    if path.endswith("/models"):
        return JSONResponse(api.models(MODELS))
    name = path.rpartition("/models/")[2]
    if name not in MODELS:
        return _error(api, 404, f"The model '{name}' does not exist.", code="model_not_found")
    return JSONResponse(api.models([name])["data"][0])
