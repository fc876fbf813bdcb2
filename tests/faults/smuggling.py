"""Requests whose end two readers could see in different places. Whatever the answer, the provider gets one or none."""

from collections.abc import Callable

from tests.faults.case import CHAT, Act, Api, Case
from tests.faults.raw import CLOSED, question, sent, sent_http2
from tests.faults.site import Site

_BODY = question("recorded")
_HIDDEN = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-note: smuggled\r\ncontent-length: 2\r\n\r\n{}"
_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY)

REFUSED = ("400 bad_request", "501 unsupported_transfer_encoding", CLOSED)


def _head(*lines: str, end: str = "\r\n") -> bytes:
    first = ["POST /v1/chat/completions HTTP/1.1", "host: x", "content-type: application/json"]
    return end.join([*first, *lines, "", ""]).encode("latin-1")


def _watched(send: Callable[[Site], str]) -> Act:
    """An act: send it and look at what the provider got."""

    def act(site: Site, _api: Api) -> str:
        site.recorder.forget()
        words = send(site)
        site.recorder.assert_nothing_smuggled()
        assert (words == "200") == (len(site.recorder.requests) == 1), (words, site.recorder.requests)
        return words

    return act


def _http1(fault: str, data: bytes, *expected: str) -> Case:
    return Case(
        fault, _watched(lambda site: sent(site.gateway.port, data, timeout=5)), expected or REFUSED, apis=(CHAT,)
    )


def _http2(fault: str, fields: list[tuple[str, str]], *expected: str, body: bytes = _BODY) -> Case:
    head = [(":method", "POST"), (":scheme", "http"), (":path", CHAT.path), (":authority", "x")]
    wanted = expected or ("400 bad_request", "stream reset", CLOSED)
    replaced = {name for name, _ in fields if name.startswith(":")}
    fields = [field for field in head if field[0] not in replaced] + fields
    fields = sorted(fields, key=lambda field: not field[0].startswith(":"))
    return Case(fault, _watched(lambda site: sent_http2(site.gateway.port, fields, body)), wanted, apis=(CHAT,))


_LENGTH = f"content-length: {len(_BODY)}"
_TE = "transfer-encoding: chunked"

CASES = [
    _http1("Content-Length and Transfer-Encoding (CL.TE)", _head("content-length: 5", _TE) + b"0\r\n\r\n" + _HIDDEN),
    _http1("Transfer-Encoding and Content-Length (TE.CL)", _head(_TE, _LENGTH) + _CHUNKED + _HIDDEN),
    _http1("`Transfer-Encoding: xchunked`", _head("transfer-encoding: xchunked") + _CHUNKED + _HIDDEN),
    _http1("`Transfer-Encoding: chunked, identity`", _head("transfer-encoding: chunked, identity") + _CHUNKED),
    _http1("`Transfer-Encoding: identity, chunked`", _head("transfer-encoding: identity, chunked") + _CHUNKED),
    _http1("Two Transfer-Encoding headers", _head(_TE, "transfer-encoding: identity", _LENGTH) + _CHUNKED),
    _http1("A space before the colon of Transfer-Encoding", _head("transfer-encoding : chunked", _LENGTH) + _CHUNKED),
    _http1("A vertical tab in Transfer-Encoding", _head("transfer-encoding: \x0bchunked", _LENGTH) + _CHUNKED),
    _http1("Transfer-Encoding folded over two lines", _head("transfer-encoding:\r\n chunked", _LENGTH) + _CHUNKED),
    _http1("Any header folded over two lines", _head("x-a: b\r\n c", _LENGTH) + _BODY, "200", *REFUSED),
    _http1("Two different Content-Length headers", _head(_LENGTH, "content-length: 0") + _BODY + _HIDDEN),
    _http1("The same Content-Length twice", _head(_LENGTH, _LENGTH) + _BODY, "200", *REFUSED),
    _http1("`Content-Length: 5, 5`", _head(f"{_LENGTH}, {len(_BODY)}") + _BODY, "200", *REFUSED),
    _http1("`Content-Length: +5`", _head(f"content-length: +{len(_BODY)}") + _BODY),
    _http1("`Content-Length: 0x5`", _head(f"content-length: {len(_BODY):#x}") + _BODY),
    _http1("`Content-Length: -1`", _head("content-length: -1") + _BODY),
    _http1("A Content-Length beyond 64 bits", _head(f"content-length: {2**64 + len(_BODY)}") + _BODY),
    _http1("A space inside Content-Length", _head("content-length: 1 0") + _BODY),
    _http1("Bare LF at the ends of header lines", _head(_LENGTH, end="\n") + _BODY, "200", *REFUSED),
    _http1("Bare CR inside a header", _head("x-a: b\rtransfer-encoding: chunked", _LENGTH) + _BODY, "200", *REFUSED),
    _http1("No colon in a header line", _head("transfer-encoding chunked", _LENGTH) + _BODY),
    _http1("A space before the first header", _head("", _LENGTH).replace(b"host", b" host", 1) + _BODY),
    _http1("A chunk size beyond 64 bits", _head(_TE) + b"1" + b"0" * 16 + b"\r\n" + _BODY),
    _http1("A negative chunk size", _head(_TE) + b"-5\r\n" + _BODY),
    _http1("A chunk size with `0x`", _head(_TE) + b"0x5\r\n" + _BODY),
    _http1(
        "A chunk longer than its size",
        _head(_TE) + b"2\r\n" + _BODY + b"\r\n0\r\n\r\n" + _HIDDEN,
        "400 invalid_request",
        *REFUSED,
    ),
    _http1(
        "A chunk extension of 100 KB",
        _head(_TE) + b"%x;a=%s\r\n%s\r\n0\r\n\r\n" % (len(_BODY), b"x" * 100_000, _BODY),
        "200",
        *REFUSED,
    ),
    _http1(
        "Bare LF in a chunk extension",
        _head(_TE) + b"%x;a\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY),
        "200",
        *REFUSED,
        "408 request_timeout",
    ),
    _http1("Forbidden trailers", _head(_TE) + _CHUNKED[:-2] + b"content-length: 99\r\nhost: y\r\n\r\n",
           "200", *REFUSED),
    _http1("An absolute target with another Host", _head(_LENGTH).replace(b" /v1", b" http://y/v1", 1) + _BODY, "200"),
    _http1("HTTP/1.0 with Transfer-Encoding", _head(_TE, _LENGTH).replace(b"HTTP/1.1", b"HTTP/1.0") + _CHUNKED,
           *REFUSED, "426 bad_request"),
    _http1("HTTP/9.9", _head(_LENGTH).replace(b"HTTP/1.1", b"HTTP/9.9") + _BODY, *REFUSED, "426 bad_request"),
    _http2("HTTP/2 with Transfer-Encoding", [("transfer-encoding", "chunked")]),
    _http2("HTTP/2 with Connection", [("connection", "close")]),
    _http2("HTTP/2 with a shorter Content-Length", [("content-length", "5")]),
    _http2("HTTP/2 with a longer Content-Length", [("content-length", "5000")]),
    _http2("HTTP/2 with CRLF in a value", [("x-a", "b\r\nx-note: smuggled")]),
    _http2("HTTP/2 with CRLF in a name", [("x-a\r\nx-note", "smuggled")]),
    _http2("HTTP/2 with capitals in a name", [("X-Note", "smuggled")]),
    _http2("HTTP/2 with CRLF in the path", [(":path", "/v1/chat/completions HTTP/1.1\r\nx-note: smuggled")]),
    _http2("HTTP/2 with a space in the method", [(":method", "POST / HTTP/1.1\r\nx-note:")]),
    _http2("HTTP/2 with two :path fields", [(":path", CHAT.path), (":path", "/smuggled")]),
    _http2("HTTP/2, well-formed", [("content-type", "application/json")], "200"),
]  # fmt: skip
