"""What one client, well-meaning or not, may ask of a listener before Envoy refuses."""

from dataclasses import dataclass

from planoctl.config.runtime import Listener

REQUEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a listener. Durations are protobuf durations; the request line and all headers together are `header_kib`.

    `headers_within`: the headers of a request, from their first byte. `idle`: a connection without a request.
    `streams`: open requests on one HTTP/2 connection.
    """

    header_kib: int = 60
    headers: int = 100
    headers_within: str = "10s"
    idle: str = "600s"
    streams: int = 256


def limits_of(listener: Listener) -> Limits:
    """The usual limits, and the listener's own in their place."""
    usual = Limits()
    return Limits(
        header_kib=usual.header_kib if listener.max_header_bytes is None else -(-listener.max_header_bytes // 1024),
        headers=usual.headers if listener.max_headers is None else listener.max_headers,
    )


def request_within(idle_timeout: str) -> str:
    """How long a whole request may take to arrive: ten minutes, or twice a longer time between two bytes.

    Ten minutes are enough for 32 MiB at 56 KB/s; who sends a byte now and then is not waited for without end.
    """
    return f"{max(REQUEST_SECONDS, 2 * float(idle_timeout.removesuffix('s'))):g}s"
