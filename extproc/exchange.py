"""One request's exchange with one candidate: path, headers and body on the way out, and everything on the way back.

An Exchange is made per attempt and never shared. It knows nothing of ext_proc messages: the stages speak those.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from extproc.content_encoding import Decoder, DecodingError, decode_body, decoder
from extproc.credentials import apply_credential
from extproc.splice import replace_model
from hermesllm.error_bodies import error_event, read_upstream_error, render_error
from hermesllm.errors import ErrorReport, GatewayError, InvalidUpstreamResponse
from hermesllm.formats import STREAM_CONTENT_TYPES, Format
from hermesllm.reading import request_bytes
from hermesllm.translate import translator
from hermesllm.translate.base import Context, StreamGatherer, StreamTranslator
from hermesllm.translate.whole_stream import WHOLE_STREAMS
from hermesllm.usage import Usage, read_usage
from planoctl.config.headers import CLUSTER, DROPPED, SERVED_MODEL, SERVED_PROVIDER, TRANSLATED
from planoctl.config.registry import Candidate

_EVENT_STREAM = "text/event-stream"
_JSON = "application/json"
_REDIRECT_STATUS = 300
_ERROR_STATUS = 400
_WITHOUT_BODY = (204, 205)
_ANTHROPICS = frozenset({Format.ANTHROPIC, Format.COUNT_TOKENS})
# Headers of a body, or of a place, that the client does not get.
_REWRITTEN = ("content-length", "content-encoding", "location", "set-cookie")
_AWS_KEY_ID = re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")  # AWS quotes the signature that it refuses
_SHORTEST_SECRET = 6  # shorter ones are words that an error text may well contain
_ANSWER_REMEDY = "Check that base_url points at the provider's API; try again if this happens rarely."
_ENDLESS = 1 << 40  # a stream is not kept, so only its rate matters
_SURPLUS_LIMIT = 16 * 1024 * 1024  # bytes a provider may send on after its stream has failed


class BodyMode(Enum):
    """What the exchange needs of the response body."""

    NONE = "none"
    STREAMED = "streamed"
    BUFFERED = "buffered"


@dataclass(slots=True)
class UpstreamRequest:
    """What changes of a request on its way to the provider; `body` None: the client's bytes go on as they are."""

    set_headers: dict[str, str]
    remove_headers: list[str]
    body: bytes | None


@dataclass(slots=True)
class ResponseHead:
    mode: BodyMode
    set_headers: dict[str, str] = field(default_factory=dict)
    remove_headers: list[str] = field(default_factory=list)


class Exchange:
    """The exchange of one client request with one candidate.

    `body_limit` bounds what a compressed answer may decode to, in bytes.
    """

    def __init__(self, client: Format, candidate: Candidate, *, body_limit: int, request_id: str | None = None) -> None:
        self.client = client
        self.candidate = candidate
        self.upstream = candidate.provider.upstream_format(client, candidate.model)
        self._request_id = request_id
        self._context = Context(candidate.provider, candidate.model, request_id=request_id)
        self._translator = translator(client, self.upstream, self._context)
        self._wants_stream = False
        self._status = 0
        self._content_type = ""
        self._error_type: str | None = None
        self._body_limit = body_limit
        self._content_encoding = ""
        self._decoder: Decoder | None = None
        self._stream: StreamTranslator | None = None
        self._gatherer: StreamGatherer | None = None
        self._broken = False
        self._surplus = 0
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far; None where the answer does not pass here."""
        return self._usage if self._stream is None else self._stream.usage

    @property
    def failed(self) -> bool:
        """The client of a stream was told of an error."""
        return self._stream is not None and self._is_over(self._stream)

    @property
    def abandoned(self) -> bool:
        """The client was told of an error long ago, and the provider still sends."""
        return self._surplus > _SURPLUS_LIMIT

    @property
    def same_format(self) -> bool:
        return self.client is self.upstream

    def request(self, headers: Mapping[str, str], raw: bytes, document: dict[str, Any]) -> UpstreamRequest:
        """The provider's request for a client's. `document` is `raw` parsed, and may be edited.

        Raises InvalidRequest, Untranslatable and NoCredential, naming provider and model.
        """
        changes: dict[str, str] = {}
        removed: list[str] = []
        try:
            self._begin(headers, document, changes, removed)
            body = self._request_body(raw, document)
        except GatewayError as error:
            self._name(error)
            raise
        if self.upstream not in _ANTHROPICS:
            removed.extend(name for name in headers if name.startswith("anthropic-"))
        changes[":path"] = self._path(headers.get(":path", ""))
        changes[CLUSTER] = self.cluster
        changes["content-type"] = _JSON
        changes["accept-encoding"] = "identity"  # short answers gain nothing, and streams lose their rhythm
        for name, value in self.candidate.entry.headers.items():
            changes[name.lower()] = value
        return UpstreamRequest(changes, [name for name in removed if name not in changes], body)

    @property
    def cluster(self) -> str:
        """The provider's cluster at Envoy."""
        return self.candidate.entry.cluster_name or self.candidate.provider.id

    def rehearse(self, headers: Mapping[str, str], document: dict[str, Any]) -> None:
        """Raise what `request` would raise, and be ready for the answer to a request that another object makes.

        `document` stays as it is.
        """
        try:
            self._begin(headers, document, {}, [])
            self._translator.request(dict(document))
        except GatewayError as error:
            self._name(error)
            raise

    def _begin(
        self, headers: Mapping[str, str], document: dict[str, Any], changes: dict[str, str], removed: list[str]
    ) -> None:
        """What precedes translating a request."""
        self._wants_stream = document.get("stream") is True
        apply_credential(self.candidate, self.upstream, headers, changes, removed)
        self._context.betas = beta_flags(headers)

    def _name(self, refusal: GatewayError) -> None:
        refusal.provider = refusal.provider or self.candidate.provider_name
        refusal.model = refusal.model or self.candidate.model

    def _request_body(self, raw: bytes, document: dict[str, Any]) -> bytes | None:
        if not self.same_format:
            return request_bytes(self._translator.request(document))
        original = dict(document)
        edited = self._translator.request(document)
        changed = {name for name in edited.keys() | original.keys() if edited.get(name) is not original.get(name)}
        if not changed:
            return None
        if changed == {"model"}:
            if original.get("model") == self.candidate.model:
                return None
            spliced = replace_model(raw, original.get("model"), self.candidate.model)
            if spliced is not None:
                return spliced
        return request_bytes(edited)

    def _path(self, requested: str) -> str:
        entry, provider = self.candidate.entry, self.candidate.provider
        path = provider.path(self.upstream, self.candidate.model, entry.base_url_path_prefix, stream=self._wants_stream)
        query = requested.partition("?")[2]
        if query and self.same_format and "?" not in path:
            path = f"{path}?{query}"
        return path

    def response_head(self, status: int, headers: Mapping[str, str]) -> ResponseHead:
        """What the response needs, decided by its status and headers."""
        self._status = status
        self._content_type = headers.get("content-type", "").lower()
        self._content_encoding = headers.get("content-encoding", "")
        self._error_type = headers.get("x-amzn-errortype")
        self._context.answer_id = headers.get("x-amzn-requestid", "")
        marks = self._marks()
        if status >= _REDIRECT_STATUS or status in _WITHOUT_BODY:
            return ResponseHead(BodyMode.BUFFERED, marks | {"content-type": _JSON}, list(_REWRITTEN))
        media_type = self._content_type.partition(";")[0].strip()
        streamed = media_type in STREAM_CONTENT_TYPES[self.upstream]
        if streamed and not self._wants_stream and isinstance(self._translator, StreamGatherer):
            self._gatherer = self._translator
            return ResponseHead(BodyMode.BUFFERED, marks | {"content-type": _JSON}, list(_REWRITTEN))
        if self.same_format and not (self._wants_stream and media_type == _JSON and self.client in WHOLE_STREAMS):
            return ResponseHead(BodyMode.NONE, marks)
        if self._wants_stream:
            marks["content-type"] = _EVENT_STREAM
        if self._wants_stream and streamed:
            try:
                self._decoder = decoder(self._content_encoding, _ENDLESS)
            except DecodingError as fault:
                raise self._invalid(str(fault)) from None
            self._stream = self._translator.stream()
            return ResponseHead(BodyMode.STREAMED, marks, list(_REWRITTEN))
        return ResponseHead(BodyMode.BUFFERED, marks, list(_REWRITTEN))

    def passed_head(self) -> ResponseHead:
        """For a response that another object of the same exchange has made the client's already."""
        return ResponseHead(BodyMode.NONE, self._marks(), [TRANSLATED])

    def _marks(self) -> dict[str, str]:
        """What the client is told of who answered."""
        marks = {SERVED_MODEL: _header_text([self.candidate.name]), SERVED_PROVIDER: self.candidate.provider.id}
        if self._context.dropped:
            marks[DROPPED] = _header_text(self._context.dropped)
        return marks

    def response_chunk(self, data: bytes, *, end: bool) -> bytes:
        """Client bytes for provider bytes of a STREAMED response."""
        stream = self._stream
        if stream is None or self._is_over(stream):
            self._surplus += len(data)
            return b""
        try:
            if self._decoder is not None:
                data = self._decoder.decode(data)
                if end:
                    data += self._decoder.flush()
        except DecodingError as fault:
            self._broken = True
            return error_event(self.client, self._about(self._invalid(str(fault)).report()))
        out = stream.decode(data) if data else b""
        if end:
            out += stream.flush()
        return self.redacted(out) if stream.failed else out

    def _is_over(self, stream: StreamTranslator) -> bool:
        return self._broken or stream.failed

    def response_body(self, body: bytes) -> bytes:
        """The client's whole body for a BUFFERED 2xx response. Raises InvalidUpstreamResponse."""
        try:
            return self._translated(decode_body(self._content_encoding, body, self._body_limit))
        except (DecodingError, orjson.JSONDecodeError) as fault:
            raise self._invalid(f"not valid JSON ({fault})") from None
        except GatewayError as fault:
            fault.provider, fault.model = self.candidate.provider_name, self.candidate.model
            fault.remedy = fault.remedy or _ANSWER_REMEDY
            raise
        except TypeError:  # what the encoder refuses: nesting beyond 254
            raise self._invalid("nested too deeply") from None

    def _translated(self, body: bytes) -> bytes:
        if self._gatherer is not None:
            gathered = self._gatherer.response_from_stream(body)
            self._usage = read_usage(self.client, gathered)
            return orjson.dumps(gathered)
        document = orjson.loads(body)
        if isinstance(document, dict):
            self._usage = read_usage(self.upstream, document)
        if self._wants_stream:
            return self._translator.response_as_stream(document)
        return orjson.dumps(self._translator.response(document))

    def _invalid(self, reason: str) -> InvalidUpstreamResponse:
        return InvalidUpstreamResponse(
            f"Response parsing error: the provider's answer is {reason}",
            provider=self.candidate.provider_name,
            model=self.candidate.model,
            remedy=_ANSWER_REMEDY,
        )

    def upstream_error(self, body: bytes) -> bytes:
        """The client's error body for a provider's 4xx or 5xx response."""
        if self._status < _ERROR_STATUS:
            raise InvalidUpstreamResponse(
                f"The provider answered HTTP {self._status}, which no API promises",
                provider=self.candidate.provider_name,
                model=self.candidate.model,
                remedy=_ANSWER_REMEDY,
            )
        with suppress(DecodingError):  # then the text is unreadable, but status, provider and model still tell
            body = decode_body(self._content_encoding, body, self._body_limit)
        report = read_upstream_error(self.upstream, self._status, self._content_type, body, error_type=self._error_type)
        return self.redacted(render_error(self.client, self._about(report)))

    def redacted(self, body: bytes) -> bytes:
        """Some providers quote the key they refuse; a client must not learn the gateway's."""
        entry = self.candidate.entry
        for secret in (entry.access_key or "", *entry.headers.values()):
            key = secret.strip().encode()
            if len(key) >= _SHORTEST_SECRET and key in body:
                body = body.replace(key, b"***")
        return _AWS_KEY_ID.sub(b"***", body) if self.candidate.provider.signed else body

    def _about(self, report: ErrorReport) -> ErrorReport:
        """The report with provider, model, remedy and request id."""
        return report.about(
            provider=self.candidate.provider_name,
            model=self.candidate.model,
            request_id=self._request_id,
            remedy=report.remedy or remedy(report.status, self.candidate),
        )


def beta_flags(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The flags of an `anthropic-beta` header."""
    flags = (flag.strip() for flag in headers.get("anthropic-beta", "").split(","))
    return tuple(flag for flag in flags if flag)


def remedy(status: int, candidate: Candidate) -> str:
    """What a reader can do about a provider's status."""
    provider, entry = candidate.provider_name, candidate.entry
    match status:
        case 401 | 403 if entry.passthrough_auth:
            return f"The key that the client sent was passed through; send one that {provider} accepts."
        case 401 | 403:
            return f"Check access_key of model_providers entry '{entry.name}' and what the key may use."
        case 402:
            return f"Check billing and credit of the account at {provider}."
        case 404:
            return f"Check that {provider} offers model '{candidate.model}' and that base_url is right."
        case 413:
            return "Send a smaller request."
        case 429:
            return f"Wait and retry (see retry-after), or raise the quota at {provider}."
        case _ if status < 500:
            return "Correct the request; the provider refused it as it is."
        case _:
            return f"Retry later; the fault is on the side of {provider}."


def _header_text(dropped: list[str]) -> str:
    """The dropped members as a header value: they hold names that the client chose."""
    text = ", ".join(dict.fromkeys(dropped))
    if text.isascii() and text.isprintable():
        return text[:1000]
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:1000]
