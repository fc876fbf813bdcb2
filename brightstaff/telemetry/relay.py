"""Takes the spans that Envoy sends to no collector itself, over gRPC, which is how Envoy sends them."""

from collections.abc import Callable

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from brightstaff.telemetry.span import Relayed

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def relay_handler(relay: Callable[[Relayed], None]) -> grpc.GenericRpcHandler:
    """OTLP's service, for a gRPC server."""

    async def export(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            groups = ExportTraceServiceRequest.FromString(request).resource_spans
        except DecodeError as problem:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(problem))
        relay(Relayed(request, sum(len(scope.spans) for group in groups for scope in group.scope_spans)))
        return ExportTraceServiceResponse().SerializeToString()

    return grpc.method_handlers_generic_handler(_SERVICE, {"Export": grpc.unary_unary_rpc_method_handler(export)})
