"""Building ext_proc replies. Envoy's rules that matter here: always overwrite, and always send raw values."""

from collections.abc import Iterable, Mapping

from extproc.exchange import BodyMode
from plano_pb import ext_proc_pb2 as pb

_OVERWRITE = pb.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_BODY_MODES = {
    BodyMode.NONE: pb.ProcessingMode.BodySendMode.NONE,
    BodyMode.STREAMED: pb.ProcessingMode.BodySendMode.STREAMED,
    BodyMode.BUFFERED: pb.ProcessingMode.BodySendMode.BUFFERED,
}

CONTINUE_REQUEST_HEADERS = pb.ProcessingResponse(request_headers=pb.HeadersResponse()).SerializeToString()
CONTINUE_REQUEST_BODY = pb.ProcessingResponse(request_body=pb.BodyResponse()).SerializeToString()
CONTINUE_RESPONSE_BODY = pb.ProcessingResponse(response_body=pb.BodyResponse()).SerializeToString()


def _mutate(mutation: pb.HeaderMutation, changes: Mapping[str, str], removed: Iterable[str] = ()) -> None:
    for name, value in changes.items():
        option = mutation.set_headers.add(append_action=_OVERWRITE)
        option.header.key = name
        option.header.raw_value = value.encode("utf-8", "surrogateescape")
    mutation.remove_headers.extend(removed)


def request_body(
    changes: Mapping[str, str], removed: Iterable[str], body: bytes | None, metadata: Mapping[str, str]
) -> bytes:
    """The exchange's request: headers, body, and the metadata that error pages and access logs read."""
    reply = pb.ProcessingResponse()
    common = reply.request_body.response
    common.clear_route_cache = True
    _mutate(common.header_mutation, changes, removed)
    if body is not None:
        _mutate(common.header_mutation, {"content-length": str(len(body))})
        common.body_mutation.body = body
    fields = reply.dynamic_metadata.fields["plano"].struct_value.fields
    for name, value in metadata.items():
        fields[name].string_value = value
    return reply.SerializeToString()


def response_headers(changes: Mapping[str, str], removed: Iterable[str], mode: BodyMode) -> bytes:
    reply = pb.ProcessingResponse()
    _mutate(reply.response_headers.response.header_mutation, changes, removed)
    reply.mode_override.response_body_mode = _BODY_MODES[mode]
    reply.mode_override.response_header_mode = pb.ProcessingMode.HeaderSendMode.SEND
    return reply.SerializeToString()


def response_body(body: bytes, changes: Mapping[str, str]) -> bytes:
    """The whole body of a BUFFERED response, whose headers Envoy still holds."""
    reply = pb.ProcessingResponse()
    common = reply.response_body.response
    _mutate(common.header_mutation, {**changes, "content-length": str(len(body))})
    common.body_mutation.body = body
    return reply.SerializeToString()


def response_chunk(body: bytes) -> bytes:
    """A piece of a STREAMED response. An empty one must be said to be empty: Envoy else sends the provider's bytes."""
    reply = pb.ProcessingResponse()
    common = reply.response_body.response
    if body:
        common.body_mutation.body = body
    else:
        common.body_mutation.clear_body = True
    return reply.SerializeToString()


def immediate(status: int, changes: Mapping[str, str], body: bytes, details: str) -> bytes:
    """An answer to the client instead of the exchange. `details` shows in the access log."""
    reply = pb.ProcessingResponse()
    response = reply.immediate_response
    response.status.code = status
    _mutate(response.headers, changes)
    response.body = body
    response.details = details
    return reply.SerializeToString()
