"""A call as one JSON object, for `--json`."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import orjson

from planoctl.obs.calls import Call

_LEFT_OUT = {"start_ns", "end_ns", "attributes", "events", "cache_apart"}
_FIELDS = tuple(field.name for field in fields(Call) if field.name not in _LEFT_OUT)


def record(call: Call) -> dict[str, Any]:
    """The fields of a call with its derived figures. `timestamp` is RFC 3339 in UTC."""
    return {
        "timestamp": datetime.fromtimestamp(call.start_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        **{name: getattr(call, name) for name in _FIELDS},
        "fresh_tokens": call.fresh_tokens,
        "input_tokens": call.input_tokens,
        "ms_per_token": call.ms_per_token,
        "tokens_per_second": call.tokens_per_second,
    }


def json_line(call: Call) -> str:
    return orjson.dumps(record(call)).decode()
