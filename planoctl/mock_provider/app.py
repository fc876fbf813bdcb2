"""The mock's HTTP surface: which API a request speaks, what it is answered, what is recorded of it."""

import asyncio
import collections
import json
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planoctl.mock_provider import behaviour
from planoctl.mock_provider.apis import CHAT, GEMINI, MESSAGES, Api, Reply, Target, find_target
from planoctl.mock_provider.behaviour import Behaviour, BehaviourError
from planoctl.mock_provider.faults import Delivery, NoAnswer, Stream, unanswered
from planoctl.mock_provider.recorder import Recorder, raw_path
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json

MODELS = ["mock-gpt", "mock-gpt-mini", "mock-claude"]
REQUESTS_PATH = "/__requests"
_HTML = (
    "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad Gateway</h1>"
    "</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_WRONG_KEY = "Incorrect API key provided. The mock wants the key that it was started with."


class MockProvider:
    """Answers the requests of one mock. `key` is the credential that it wants, if any."""

    def __init__(self, key: str | None, recorder: Recorder) -> None:
        self._key = key
        self._recorder = recorder
        self._seen: collections.Counter[str] = collections.Counter()

    async def handle(self, request: Request) -> Response:
        """Answers one request of any method and path."""
        path = raw_path(request).rstrip("/")
        if path == REQUESTS_PATH:
            return self._show_requests(request)
        record = self._recorder.add(request, await request.body())
        if path == "/healthz":
            return JSONResponse({"status": "ok"})
        target = find_target(path)
        api = target.api if target else _api_of(request)
        if not self._authorised(request):
            return _error(api, api.key_status, _WRONG_KEY, code="invalid_api_key")
        if target is None and request.method == "GET" and (path.endswith("/models") or "/models/" in path):
            return _models(api, path)
        if target is None or request.method != "POST":
            return _error(api, 404, f"Invalid URL ({request.method} {request.url.path})")
        return await self._converse(target, request, record["body"])

    def _show_requests(self, request: Request) -> Response:
        """What was received: GET shows the last ones, oldest first (`?last=N`: so many of them), DELETE forgets."""
        if request.method == "DELETE":
            self._recorder.requests.clear()
            return Response(status_code=204)
        last = request.query_params.get("last", "")
        shown = list(self._recorder.requests)
        return JSONResponse(shown[-int(last) :] if last.isdecimal() and int(last) else shown)

    def _authorised(self, request: Request) -> bool:
        """Whether a request has the key, in any of the places of any API; of AWS, its access key id must be the key."""
        authorization = request.headers.get("authorization", "")
        given = {authorization.removeprefix("Bearer "), request.query_params.get("key")}
        given |= {request.headers.get(name) for name in ("x-api-key", "api-key", "x-goog-api-key")}
        signed = authorization.startswith(f"AWS4-HMAC-SHA256 Credential={self._key}/")
        return self._key is None or signed or self._key in given

    async def _converse(self, target: Target, request: Request, body: object) -> Response:
        api = target.api
        if not isinstance(body, dict):
            return _error(api, 400, "We could not parse the JSON body of your request.")
        try:
            header = request.headers.get(behaviour.HEADER, "")
            wanted = behaviour.of_request(header, target.model or body.get("model"))
        except BehaviourError as fault:
            return _error(api, 400, str(fault), param=behaviour.HEADER)
        wanted = self._due(wanted)
        await asyncio.sleep(wanted.delay)
        if unanswered(wanted):
            return NoAnswer(wanted)
        if wanted.html is not None:
            return Response(_HTML.format(status=wanted.html), wanted.html, media_type="text/html")
        if wanted.status is not None:
            return _error(api, wanted.status, f"The mock was asked for status {wanted.status}.", wanted=wanted)
        call = Call(
            headers=request.headers,
            model=target.model,
            stream=target.stream,
            sse=api is not GEMINI or request.query_params.get("alt") == "sse",
            lenient=wanted.lenient,
        )
        try:
            reply = api.respond(body, call, wanted)
        except InvalidRequestError as refusal:
            return _error(api, 400, refusal.message, param=refusal.param, code=refusal.code)
        return _delivery(api, reply, wanted)

    def _due(self, wanted: Behaviour) -> Behaviour:
        """The behaviour itself, or a good one after the `first` requests that asked for it."""
        if wanted.first is None:
            return wanted
        self._seen[wanted.text] += 1
        return wanted if self._seen[wanted.text] <= wanted.first else wanted.without_faults()


def create_app(key: str | None = None, record: Path | None = None) -> Starlette:
    """The mock as an ASGI application; the last requests are in `app.state.requests`.

    Faults of the connection need it, so run it with `planoctl.mock_provider.server`.
    """
    recorder = Recorder(record)
    provider = MockProvider(key, recorder)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", provider.handle, methods=methods)])
    app.state.requests = recorder.requests
    return app


def _delivery(api: Api, reply: Reply, wanted: Behaviour) -> Response:
    headers = {api.request_id_header: f"req_{reply.digest}", "content-type": reply.media_type}
    if reply.body is not None:
        return Delivery(wanted, headers=headers, body=_json(reply.body))
    message = "The mock was asked for an error in the stream."
    stream = Stream(reply.events, api.error_event(message), api.garbage, lines=api.lines)
    return Delivery(wanted, headers=headers | {"cache-control": "no-cache"}, stream=stream)


def _error(
    api: Api,
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    wanted: Behaviour | None = None,
) -> Response:
    headers = {api.request_id_header: "req_mock", "content-type": "application/json"} | api.error_headers(status)
    wanted = wanted or Behaviour()
    retry_after = wanted.retry_after or (1 if status == 429 else None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return Delivery(
        wanted, status=status, headers=headers, body=_json(api.error(status, message, param=param, code=code))
    )


def _json(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _api_of(request: Request) -> Api:
    """The API whose shapes a request without an endpoint of its own expects."""
    if "x-goog-api-key" in request.headers:
        return GEMINI
    return MESSAGES if "anthropic-version" in request.headers or "x-api-key" in request.headers else CHAT


def _models(api: Api, path: str) -> Response:
    if path.endswith("/models"):
        return JSONResponse(api.models(MODELS))
    name = path.rpartition("/models/")[2]
    if name not in MODELS:
        return _error(api, 404, f"The model '{name}' does not exist.", code="model_not_found")
    listed = api.models([name])
    return JSONResponse((listed.get("data") or listed["models"])[0])
