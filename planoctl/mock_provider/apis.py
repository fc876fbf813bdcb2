"""The APIs that the mock speaks: one record each, and the paths at which they are found."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from planoctl.mock_provider import anthropic, completions, converse, embeddings, gemini, openai, responses
from planoctl.mock_provider.answers import Answer, Turn, answer
from planoctl.mock_provider.behaviour import Behaviour
from planoctl.mock_provider.validation import Call, Json

_EVENT_STREAM = "text/event-stream; charset=utf-8"
_BROKEN_EVENT = b'data: {"id": "mock", "choices": [{"delta"\n\n\xff\xfe no field here\n\n'


class _Error(Protocol):
    def __call__(self, status: int, message: str, /, *, param: str | None = None, code: str | None = None) -> Json: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: one body, or the events of a stream. `digest` identifies the request."""

    digest: str
    body: Json | None = None
    events: Iterable[bytes] = ()
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API. `respond` raises InvalidRequestError for what the real API would answer with 400."""

    respond: Callable[[Json, Call, Behaviour], Reply]
    error: _Error = openai.error
    error_event: Callable[[str], bytes] = openai.error_event
    error_headers: Callable[[int], dict[str, str]] = lambda _status: {}
    models: Callable[[list[str]], Json] = openai.models
    request_id_header: str = openai.REQUEST_ID_HEADER
    garbage: bytes = _BROKEN_EVENT
    lines: bool = True  # whether its streams are lines of text
    key_status: int = 401  # its answer to a wrong key


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: an API, and for some APIs also a model and whether to stream."""

    api: Api
    model: str = ""
    stream: bool = False


def _conversation(
    read: Callable[[Json, Call], Turn],
    body: Callable[[Turn, Answer], Json],
    events: Callable[[Turn, Answer], Iterable[bytes]],
    media_type: str = _EVENT_STREAM,
) -> Callable[[Json, Call, Behaviour], Reply]:
    """Answers what somebody said."""

    def respond(request: Json, call: Call, wanted: Behaviour) -> Reply:
        turn = read(request, call)
        said = answer(turn, big=wanted.big, reason=not wanted.noreason)
        if wanted.plain or not turn.stream:
            return Reply(turn.digest, body(turn, said))
        if not call.sse:
            return Reply(turn.digest, events=gemini.array(turn, said))
        return Reply(turn.digest, events=events(turn, said), media_type=media_type)

    return respond


def _calculation(compute: Callable[[Json, Call], Json]) -> Callable[[Json, Call, Behaviour], Reply]:
    """Answers with one body whatever was asked."""
    return lambda request, call, _wanted: Reply("mock", compute(request, call))


def _anthropic(respond: Callable[[Json, Call, Behaviour], Reply]) -> Api:
    return Api(
        respond=respond,
        error=anthropic.error,
        error_event=anthropic.error_event,
        models=anthropic.models,
        request_id_header=anthropic.REQUEST_ID_HEADER,
    )


CHAT = Api(respond=_conversation(openai.read, openai.body, openai.events))
COMPLETIONS = Api(respond=_conversation(completions.read, completions.body, completions.events))
EMBEDDINGS = Api(respond=_calculation(embeddings.embed))
RESPONSES = Api(
    respond=_conversation(responses.read, responses.body, responses.events), error_event=responses.error_event
)
MESSAGES = _anthropic(_conversation(anthropic.read, anthropic.body, anthropic.events))
COUNT_TOKENS = _anthropic(_calculation(anthropic.count_tokens))
CONVERSE = Api(
    respond=_conversation(converse.read, converse.body, converse.events, converse.MEDIA_TYPE),
    error=converse.error,
    error_event=converse.error_event,
    error_headers=converse.error_headers,
    request_id_header=converse.REQUEST_ID_HEADER,
    garbage=converse.garbage(),
    lines=False,
    key_status=403,
)
GEMINI = Api(
    respond=_conversation(gemini.read, gemini.body, gemini.events),
    error=gemini.error,
    error_event=gemini.error_event,
    models=gemini.models,
    request_id_header=gemini.REQUEST_ID_HEADER,
    key_status=400,
)

_PATHS = tuple(
    (re.compile(f"{pattern}/?$"), api)
    for pattern, api in (
        ("/chat/completions", CHAT),
        ("/completions", COMPLETIONS),
        ("/embeddings", EMBEDDINGS),
        ("/responses", RESPONSES),
        ("/messages", MESSAGES),
        ("/messages/count_tokens", COUNT_TOKENS),
        (r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?", CONVERSE),
        (r"/models/(?P<model>[^/]+):(?:g|(?P<stream>streamG))enerateContent", GEMINI),
    )
)


def find_target(raw_path: str) -> Target | None:
    """What a path, percent-encoded and without query, names; any prefix may come before it."""
    for pattern, api in _PATHS:
        if match := pattern.search(raw_path):
            named = match.groupdict()
            return Target(api, unquote(named.get("model") or ""), bool(named.get("stream")))
    return None
