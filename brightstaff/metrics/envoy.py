"""Envoy's own statistics, passed on from its admin interface, which nobody but this host may reach.

The listener of metrics serves them. Answers stream through: what is held in memory is a chunk, however long they are.
"""

import http.client
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry, generate_latest

from planoctl.config.metrics_address import MetricsAddress

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_AT_ONCE = 4
_CHUNK_BYTES = 64 * 1024
_PATIENCE_SECONDS = 10
_GZIP = 16 + zlib.MAX_WBITS


class Unavailable(Exception):
    """Envoy does not answer, or is asked too often at once."""


class EnvoyStatistics:
    """Statistics of the Envoy with this admin address, for a few readers at once."""

    def __init__(self, admin: MetricsAddress) -> None:
        self._admin = admin
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def open(self, *, used_only: bool) -> "Statistics":
        """What Envoy says, to be closed. Without those that never changed if `used_only`. Raises Unavailable."""
        if not self._slots.acquire(blocking=False):
            raise Unavailable(f"{_AT_ONCE} others read Envoy's statistics already")
        connection = http.client.HTTPConnection(self._admin.host, self._admin.port, timeout=_PATIENCE_SECONDS)
        statistics = Statistics(connection, self._slots.release)
        try:
            statistics.ask("/stats/prometheus?usedonly" if used_only else "/stats/prometheus")
        except (OSError, http.client.HTTPException) as error:
            statistics.close()
            raise Unavailable(f"Envoy does not answer: {error}") from error
        return statistics


class Statistics:
    """The chunks of one answer."""

    def __init__(self, connection: http.client.HTTPConnection, release: Callable[[], None]) -> None:
        self._connection = connection
        self._release: Callable[[], None] | None = release
        self._answer: http.client.HTTPResponse

    def ask(self, path: str) -> None:
        """Raises OSError and HTTPException."""
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        if self._answer.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"status {self._answer.status}")

    def __iter__(self) -> Iterator[bytes]:
        """Raises ConnectionAbortedError if Envoy breaks off."""
        try:
            while chunk := self._answer.read1(_CHUNK_BYTES):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionAbortedError(f"Envoy broke off: {error}") from error

    def close(self) -> None:
        self._connection.close()
        release, self._release = self._release, None
        if release is not None:
            release()


def envoy_application(statistics: EnvoyStatistics) -> Application:
    """Serves Envoy's statistics; a 503 if there are none to be had."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            found = statistics.open(used_only=_used_only(environ))
        except Unavailable as error:
            start_response("503 Service Unavailable", [("content-type", "text/plain")])
            return [f"{error}\n".encode()]
        return _answered(b"", found, environ, start_response)

    return serve


def joined_application(registry: CollectorRegistry, statistics: EnvoyStatistics) -> Application:
    """Serves the metrics of `registry` and Envoy's statistics as one; those of `registry` alone without Envoy."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        own = generate_latest(registry)
        try:
            found = statistics.open(used_only=_used_only(environ))
        except Unavailable:
            found = None
        return _answered(own, found, environ, start_response)

    return serve


def _used_only(environ: dict[str, Any]) -> bool:
    return "usedonly" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _answered(
    own: bytes, found: Statistics | None, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    accepted = environ.get("HTTP_ACCEPT_ENCODING", "").lower().split(",")
    compressed = "gzip" in (coding.strip() for coding in accepted)
    headers = [("content-type", _CONTENT_TYPE)] + ([("content-encoding", "gzip")] if compressed else [])
    body = _Body(own, found, compressed=compressed)
    try:
        start_response("200 OK", headers)
    except BaseException:
        body.close()
        raise
    return body


class _Body:
    """Own metrics, then Envoy's. Compressed, the reader can tell that an answer was cut off."""

    def __init__(self, own: bytes, found: Statistics | None, *, compressed: bool) -> None:
        self._own = own
        self._found = found
        self._compressed = compressed

    def __iter__(self) -> Iterator[bytes]:
        chunks = chain((self._own,), self._found or ())
        yield from filter(None, _zipped(chunks) if self._compressed else chunks)

    def close(self) -> None:
        """The server calls it, also for a reader that has gone."""
        if self._found is not None:
            self._found.close()


def _zipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    encoder = zlib.compressobj(wbits=_GZIP)
    for chunk in chunks:
        yield encoder.compress(chunk)
    yield encoder.flush()
