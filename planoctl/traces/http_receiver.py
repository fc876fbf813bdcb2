"""The collector's HTTP side: OTLP over `POST /v1/traces`, in protobuf or JSON, compressed with gzip or not."""

import zlib
from collections.abc import Callable

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planoctl.traces.otlp import BadExport, answer, parse_json, parse_protobuf

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_GZIP = 16 + zlib.MAX_WBITS


def receiver(record: Callable[[ExportTraceServiceRequest], int], largest_body: int) -> Starlette:
    """The application. `record` stores a request's spans and says how many it rejected; sizes are in bytes."""

    async def traces(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (_PROTOBUF, _JSON):
            return _refusal(415, f"content-type {kind or 'is missing'}: send {_PROTOBUF} or {_JSON}")
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", ""):
            return _refusal(415, f"content-encoding {encoding}: send gzip, or none")
        try:
            body = await _body(request, largest_body)
            if encoding == "gzip":
                body = _unzipped(body, largest_body)
            export = parse_json(body) if kind == _JSON else parse_protobuf(body)
        except BadExport as error:
            return _refusal(400, str(error))
        except _TooLarge:
            return _refusal(413, f"the body is larger than {largest_body} bytes: send smaller batches")
        message = answer(record(export))
        if kind == _JSON:
            return Response(json_format.MessageToJson(message, indent=None), media_type=_JSON)
        return Response(message.SerializeToString(), media_type=_PROTOBUF)

    return Starlette(routes=[Route("/v1/traces", traces, methods=["POST"])])


class _TooLarge(Exception):
    pass


async def _body(request: Request, largest: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)


def _unzipped(body: bytes, largest: int) -> bytes:
    unzip = zlib.decompressobj(_GZIP)
    try:
        data = unzip.decompress(body, largest + 1)
    except zlib.error as error:
        raise BadExport(f"the body is not in gzip: {error}") from error
    if len(data) > largest:
        raise _TooLarge
    if not unzip.eof:
        raise BadExport("the body is not in gzip: it ends too early")
    return data


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"code": status, "message": message}, status_code=status)
