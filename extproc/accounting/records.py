"""One record of Envoy's access log as an observation. Performance-sensitive: once per request (`make bench`)."""

from collections.abc import Mapping
from typing import Literal

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value

from extproc.accounting.observation import Observation
from extproc.accounting.reported import FIRST, reported_usage
from hermesllm.formats import Format, client_endpoint
from plano_pb import access_log_pb2 as pb
from planoctl.config.headers import METADATA_NAMESPACE, USAGE_NAMESPACE

_Moment = Literal["time_to_first_upstream_tx_byte", "time_to_first_upstream_rx_byte"]
_FORMATS = {each.value: each for each in Format}  # a call of the enum takes five times as long
_CLIENT_LEFT = frozenset({"downstream_connection_termination", "downstream_remote_reset"})


def observation(entry: pb.HttpEntry) -> Observation | None:
    """What a record says; None for one that is not about an LLM call."""
    common, request, response = entry.common_properties, entry.request, entry.response
    namespaces = common.metadata.filter_metadata
    told: dict[str, str] = {}
    if METADATA_NAMESPACE in namespaces:
        told = {name: value.string_value for name, value in namespaces[METADATA_NAMESPACE].fields.items()}
    client_format = _client_format(told, request.path)
    if client_format is None:
        return None
    measured: Mapping[str, Value] = namespaces[USAGE_NAMESPACE].fields if USAGE_NAMESPACE in namespaces else {}
    flags = _flags(common)
    started = common.start_time.seconds + common.start_time.nanos / 1e9
    chain = told.get("models")
    tags = common.custom_tags
    return Observation(
        request_id=request.request_id,
        client_format=client_format,
        upstream_format=told.get("upstream_format", ""),
        requested_model=told.get("requested_model", ""),
        provider=told.get("provider", ""),
        model=told.get("model", ""),
        route=told.get("route", ""),
        routing=told.get("routing", ""),
        routing_reason=told.get("routing_reason", ""),
        chain=tuple(chain.split(", ")) if chain else (),
        cluster=common.upstream_cluster,
        attempts=common.upstream_request_attempt_count,
        status=response.response_code.value,
        details=response.response_code_details,
        flags=flags,
        stream="stream" in told,
        internal="internal" in told,
        client_left=not _CLIENT_LEFT.isdisjoint(flags),
        started=started,
        duration=_seconds(common.duration),
        sent=_moment(common, "time_to_first_upstream_tx_byte"),
        first_byte=_moment(common, "time_to_first_upstream_rx_byte"),
        ttft=_ttft(started, measured),
        usage=reported_usage(_measured_format(told), measured),
        bytes_in=request.request_body_bytes,
        bytes_out=response.response_body_bytes,
        user_agent=request.user_agent,
        reservation=told.get("reservation", ""),
        identity=told.get("identity", ""),
        trace_id=tags.get("trace_id", ""),
        span_id=tags.get("span_id", ""),
        sampled="traced" in told and "trace_id" in tags,
        traced=told.get("traced", ""),
        answered=told.get("answered", ""),
        error=told.get("error", ""),
    )


def _flags(common: pb.Common) -> tuple[str, ...]:
    if not common.HasField("response_flags"):
        return ()
    return tuple(field.name for field, _ in common.response_flags.ListFields())


def _client_format(told: Mapping[str, str], path: str) -> Format | None:
    if told.get("upstream_format") == Format.COUNT_TOKENS:  # its errors are those of Messages, it is not
        return Format.COUNT_TOKENS
    shape = told.get("client_format")
    if shape:
        return _FORMATS[shape]
    endpoint = client_endpoint(path)  # refused before anything was known of it but its path
    return None if endpoint is None else endpoint.format


def _measured_format(told: Mapping[str, str]) -> Format | None:
    """The format that Envoy saw on its way to the client, if it was the provider's own."""
    upstream = told.get("upstream_format")
    return _FORMATS[upstream] if upstream and upstream == told.get("client_format") else None


def _moment(common: pb.Common, name: _Moment) -> float | None:
    return _seconds(getattr(common, name)) if common.HasField(name) else None


def _ttft(started: float, measured: Mapping[str, Value]) -> float | None:
    first = measured[FIRST].string_value if FIRST in measured else ""
    return max(0.0, int(first) / 1e6 - started) if first.isdecimal() else None


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
