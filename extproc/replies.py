"""Building ext_proc replies. Envoy's rules that matter here: always overwrite, and always send raw values.

Performance-sensitive: replies are put together from serialised pieces, of which most recur from request to request.
`make bench` guards it, and a test compares every reply with the same message built by protobuf.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from google.protobuf import struct_pb2

from extproc.accounting.reported import counted
from extproc.exchange import BodyMode
from hermesllm.usage import Usage
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import METADATA_NAMESPACE, USAGE_NAMESPACE

_BODY_MODES = {
    BodyMode.NONE: pb.ProcessingMode.BodySendMode.NONE,
    BodyMode.STREAMED: pb.ProcessingMode.BodySendMode.STREAMED,
    BodyMode.BUFFERED: pb.ProcessingMode.BodySendMode.BUFFERED,
}

CONTINUE_REQUEST_HEADERS = pb.ProcessingResponse(request_headers=pb.HeadersResponse()).SerializeToString()

CONTINUE_RESPONSE_BODY = pb.ProcessingResponse(response_body=pb.BodyResponse()).SerializeToString()

# Keys of length-delimited fields: number << 3 | 2.
_REQUEST_HEADERS = b"\x0a"  # ProcessingResponse.request_headers
_RESPONSE_HEADERS = b"\x12"  # ProcessingResponse.response_headers
_REQUEST_BODY = b"\x1a"  # ProcessingResponse.request_body
_RESPONSE_BODY = b"\x22"  # ProcessingResponse.response_body
_COMMON = b"\x0a"  # HeadersResponse.response, BodyResponse.response
_HEADER_MUTATION = b"\x12"  # CommonResponse.header_mutation
_SET_HEADERS = b"\x0a"  # HeaderMutation.set_headers
_HEADER, _RAW_VALUE = b"\x0a", b"\x1a"  # HeaderValueOption.header, HeaderValue.raw_value
_OVERWRITE = b"\x18\x02"  # HeaderValueOption.append_action: OVERWRITE_IF_EXISTS_OR_ADD
_BODY_MUTATION = b"\x1a"  # CommonResponse.body_mutation
_CLEAR_ROUTE_CACHE = b"\x28\x01"  # CommonResponse.clear_route_cache: true
_BODY = b"\x0a"  # BodyMutation.body
_CLEAR_BODY = b"\x10\x01"  # BodyMutation.clear_body: true
_DYNAMIC_METADATA = b"\x42"  # ProcessingResponse.dynamic_metadata
_FIELDS = b"\x0a"  # Struct.fields
_KEY, _VALUE = b"\x0a", b"\x12"  # of a map entry
_STRING_VALUE, _STRUCT_VALUE = b"\x1a", b"\x2a"  # Value.string_value, Value.struct_value
_NUMBER_VALUE = struct.Struct("<cd")  # Value.number_value: key and eight bytes
_CACHED = 1024
_LONGEST_CACHED = 128
_OF_ONE_REQUEST = frozenset({":path", "authorization", "x-api-key", "api-key", "x-goog-api-key", "request-id"})


_SHORT = tuple(bytes((size,)) for size in range(0x80))


def _length(size: int) -> bytes:
    """A varint."""
    if size < 0x4000:
        return _SHORT[size] if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _field(key: bytes, payload: bytes) -> bytes:
    return key + _length(len(payload)) + payload


def _set_header(name: str, value: str) -> bytes:
    """HeaderMutation.set_headers with one header. What clients choose is not kept: it could be large, or a key."""
    if name in _OF_ONE_REQUEST or len(value) > _LONGEST_CACHED:
        return _header_bytes(name, value)
    return _cached_header_bytes(name, value)


def _header_bytes(name: str, value: str) -> bytes:
    header = _field(_KEY, name.encode()) + _field(_RAW_VALUE, value.encode("latin-1", "replace"))
    return _field(_SET_HEADERS, _field(_HEADER, header) + _OVERWRITE)


_cached_header_bytes = lru_cache(_CACHED)(_header_bytes)


def _remove_headers(names: tuple[str, ...]) -> bytes:
    return pb.HeaderMutation(remove_headers=names).SerializeToString()


def _metadata(values: Mapping[str, str], *entries: bytes) -> bytes:
    """ProcessingResponse.dynamic_metadata in the gateway's namespace; `entries` are more of its fields, serialised."""
    texts = [
        (_cached_text_entry if len(value) <= _LONGEST_CACHED else _text_entry)(name, value)
        for name, value in values.items()
    ]
    return _in_namespace(METADATA_NAMESPACE, b"".join((*texts, *entries)))


def _text_entry(name: str, value: str) -> bytes:
    """One entry of Struct.fields, a text."""
    return _entry(name, _field(_STRING_VALUE, value.encode("utf-8", "replace")))


_cached_text_entry = lru_cache(_CACHED)(_text_entry)


def _in_namespace(namespace: str, fields: bytes) -> bytes:
    """ProcessingResponse.dynamic_metadata with these Struct.fields."""
    return _field(_DYNAMIC_METADATA, _entry(namespace, _field(_STRUCT_VALUE, fields)))


def _usage(usage: Usage | None) -> bytes:
    """What the provider reported, for the access log."""
    if usage is None:
        return b""
    numbers = [_entry(name, _NUMBER_VALUE.pack(b"\x11", number)) for name, number in counted(usage).items()]
    return _in_namespace(USAGE_NAMESPACE, b"".join(numbers))


def _entry(name: str, value: bytes) -> bytes:
    """One entry of Struct.fields."""
    return _field(_FIELDS, _field(_KEY, name.encode()) + _field(_VALUE, value))


@lru_cache(_CACHED)
def _priority_groups(clusters: tuple[str, ...]) -> bytes:
    """The metadata entry by which Envoy chooses the cluster of each attempt."""
    groups = struct_pb2.Value()
    for number, cluster in enumerate(clusters, 1):
        group = groups.list_value.values.add().struct_value
        group.fields["name"].string_value = f"attempt-{number}"
        member = group.fields["clusters"].list_value.values.add().struct_value
        member.fields["cluster_name"].string_value = cluster
        member.fields["weight"].number_value = 1
    return _entry("priority_groups", groups.SerializeToString())


@lru_cache
def _body_mode(mode: BodyMode) -> bytes:
    """ProcessingResponse.mode_override."""
    reply = pb.ProcessingResponse()
    reply.mode_override.response_body_mode = _BODY_MODES[mode]
    reply.mode_override.response_header_mode = pb.ProcessingMode.HeaderSendMode.SEND
    return reply.SerializeToString()


def _headers(changes: Mapping[str, str], removed: Iterable[str] = ()) -> bytes:
    """CommonResponse.header_mutation."""
    pieces = [_set_header(name, value) for name, value in changes.items()]
    names = tuple(removed)
    if names:
        pieces.append(_remove_headers(names))
    return _field(_HEADER_MUTATION, b"".join(pieces)) if pieces else b""


def request_headers(changes: Mapping[str, str], removed: Iterable[str], metadata: Mapping[str, str]) -> bytes:
    """Header changes before the body is read; `metadata` is merged with that of later replies."""
    reply = _field(_REQUEST_HEADERS, _field(_COMMON, _headers(changes, removed)))
    return reply + _metadata(metadata) if metadata else reply


def request_body(
    changes: Mapping[str, str],
    removed: Iterable[str],
    body: bytes | None,
    metadata: Mapping[str, str],
    clusters: tuple[str, ...] = (),
) -> bytes:
    """The exchange's request: headers, body, and the metadata that error pages and access logs read.

    `clusters` are those of the attempts of a chain.
    """
    reply = _field(_REQUEST_BODY, _field(_COMMON, _request(changes, removed, body) + _CLEAR_ROUTE_CACHE))
    return reply + (_metadata(metadata, _priority_groups(clusters)) if clusters else _metadata(metadata))


def attempt_body(changes: Mapping[str, str], removed: Iterable[str], body: bytes | None, length: int) -> bytes:
    """One attempt's request; `body` None: the client's, of `length` bytes. Its route is chosen already."""
    changes = {**changes, "content-length": str(length)}  # an attempt before may have had another
    return _field(_REQUEST_BODY, _field(_COMMON, _request(changes, removed, body)))


def _request(changes: Mapping[str, str], removed: Iterable[str], body: bytes | None) -> bytes:
    if body is None:
        return _headers(changes, removed)
    return _headers({**changes, "content-length": str(len(body))}, removed) + _mutated(body)


def response_headers(
    changes: Mapping[str, str], removed: Iterable[str], mode: BodyMode, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Header changes, what Envoy is to send of the body, and metadata that the answer has made truer."""
    reply = _field(_RESPONSE_HEADERS, _field(_COMMON, _headers(changes, removed))) + _body_mode(mode)
    return reply + _metadata(metadata) if metadata else reply


def attempt_response_headers(changes: Mapping[str, str], removed: Iterable[str]) -> bytes:
    """Header changes to the answer of one attempt."""
    return _field(_RESPONSE_HEADERS, _field(_COMMON, _headers(changes, removed)))


def response_body(
    body: bytes, changes: Mapping[str, str], usage: Usage | None = None, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The whole body of a BUFFERED response, whose headers Envoy still holds."""
    headers = _headers({**changes, "content-length": str(len(body))})
    reply = _field(_RESPONSE_BODY, _field(_COMMON, headers + _mutated(body))) + _usage(usage)
    return reply + _metadata(metadata) if metadata else reply


def response_chunk(body: bytes, usage: Usage | None = None, metadata: Mapping[str, str] | None = None) -> bytes:
    """A piece of a STREAMED response, with the usage if it is news."""
    reply = _field(_RESPONSE_BODY, _field(_COMMON, _mutated(body))) + _usage(usage)
    return reply + _metadata(metadata) if metadata else reply


def passed_chunk(metadata: Mapping[str, str] | None = None) -> bytes:
    """A piece of a STREAMED response that goes on as it came."""
    return CONTINUE_RESPONSE_BODY + _metadata(metadata) if metadata else CONTINUE_RESPONSE_BODY


def _mutated(body: bytes) -> bytes:
    """CommonResponse.body_mutation. An empty body must be said to be empty: Envoy else sends the bytes it has."""
    return _field(_BODY_MUTATION, _field(_BODY, body) if body else _CLEAR_BODY)


def immediate(
    status: int,
    changes: Mapping[str, str],
    body: bytes,
    details: str,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """An answer to the client instead of the exchange. `details` and `metadata` show in the access log."""
    reply = pb.ProcessingResponse()
    response = reply.immediate_response
    response.status.code = status
    for name, value in changes.items():
        response.headers.MergeFromString(_set_header(name, value))
    response.body = body
    response.details = details
    return reply.SerializeToString() + (_metadata(metadata) if metadata else b"")
