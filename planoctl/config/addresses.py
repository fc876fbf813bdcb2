"""Durations, hosts and URLs as the YAML writes them. Every function raises ValueError with a text for the user."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65535
# The bounds of protobuf's Duration.
_MAX_SECONDS = 315_576_000_000
_DURATION = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(ms|s|m|h)")
_NANOSECONDS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_BAD_URL_CHARACTERS = re.compile(r"[\x00-\x20\x7f\\<>\"{}|^`]")

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens: `host` without brackets and in lower case if it came from a URL."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An absolute http(s) URL. `path` is as written, and empty for `/`."""

    scheme: Scheme
    host: str
    port: int
    path: str
    ignored: str = ""  # what of the URL has no meaning here: user info, query or fragment


def duration_nanoseconds(text: str) -> int:
    """`30s`, `0.5s`, `250ms`, `2m` or `1h` in nanoseconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("a duration is a number with the unit ms, s, m or h, such as 30s")
    whole, fraction, unit = match.groups()
    digits = (fraction or "").ljust(9, "0")
    nanoseconds = int(whole) * _NANOSECONDS[unit] + int(digits) * _NANOSECONDS[unit] // 1_000_000_000
    if nanoseconds > _MAX_SECONDS * 1_000_000_000:
        raise ValueError("the duration is too long")
    return nanoseconds


def protobuf_duration(text: str) -> str:
    """The duration in seconds, as Envoy wants it; a text that has that form already stays as it is."""
    nanoseconds = duration_nanoseconds(text)
    if text.endswith("s") and not text.endswith("ms"):
        return text
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds}.{rest:09d}".rstrip("0").rstrip(".") + "s"


def parse_base_url(text: str) -> BaseUrl:
    """An absolute http(s) URL taken apart."""
    parts, port = _split(text)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("the scheme must be http or https")
    if not parts.hostname:
        raise ValueError("the host is missing")
    host = _check_host(parts.hostname)
    path = "" if parts.path == "/" else parts.path
    if any(is_dot_segment(unquote(segment)) for segment in path.split("/")):
        raise ValueError("the path has a segment '.' or '..'")
    ignored = [name for name, given in (("user info", "@" in parts.netloc), ("query", parts.query),
                                        ("fragment", parts.fragment)) if given]  # fmt: skip
    scheme = cast("Scheme", parts.scheme)
    return BaseUrl(scheme, host, port or DEFAULT_PORTS[scheme], path, " and ".join(ignored))


def is_dot_segment(segment: str) -> bool:
    """Whether a segment of a path would climb out of its place: no encoding keeps servers from reading it so."""
    return segment.strip() in {".", ".."}


def parse_address(text: str, default_port: int) -> Address:
    """`host`, `host:port`, `[v6]:port` or a bare IPv6 address."""
    if "://" in text:
        raise ValueError("write host:port here, without a scheme")
    if text.count(":") > 1 and not text.startswith("["):
        return Address(_check_host(text), default_port)
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    host, port = bracketed.groups() if bracketed else (text.partition(":")[0], text.partition(":")[2] or None)
    if text.endswith(":"):
        raise ValueError("the port is missing after the colon")
    return Address(_check_host(host), default_port if port is None else parse_port(port))


def parse_port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_PORT:
        raise ValueError(f"a port is a number from 1 to {MAX_PORT}")
    return int(text)


@dataclass(frozen=True, slots=True)
class CollectorUrl:
    """An OTLP/gRPC collector."""

    scheme: Scheme
    host: str
    port: int
    text: str


def parse_collector_url(text: str, default_port: int = 4317) -> CollectorUrl:
    """`http(s)://host[:port]`; the text that comes back has neither a missing port nor a trailing slash."""
    parts, port = _split(text)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("scheme must be http or https")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("path must be empty")
    if not parts.hostname:
        raise ValueError("host must not be empty")
    host = _check_host(parts.hostname)
    shown = f"[{host}]" if ":" in host else host
    scheme = cast("Scheme", parts.scheme)
    return CollectorUrl(scheme, host, port or default_port, f"{scheme}://{shown}:{port or default_port}")


def _split(text: str) -> tuple[SplitResult, int | None]:
    if _BAD_URL_CHARACTERS.search(text):
        raise ValueError("a URL has no spaces or control characters")
    parts = urlsplit(text)  # ValueError for a malformed IPv6 host
    port = parts.port  # ValueError for a port that is none
    if port == 0:
        raise ValueError(f"a port is a number from 1 to {MAX_PORT}")
    return parts, port


def _check_host(host: str) -> str:
    if ":" in host:
        return str(ipaddress.IPv6Address(host.partition("%")[0]))
    if not _HOST.fullmatch(host):
        raise ValueError("the host is not a valid name or address")
    return host
