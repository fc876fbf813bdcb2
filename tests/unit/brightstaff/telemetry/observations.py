"""Observations as the sidecar sends them."""

from typing import Any

import msgspec
import orjson

from extproc.accounting.observation import Observation
from hermesllm.formats import Format
from hermesllm.usage import Usage

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def record(told: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A sampled call that went well, with `fields` changed; `told` is what its request told."""
    seen: dict[str, Any] = {
        "request_id": "r-1",
        "client_format": Format.CHAT,
        "upstream_format": "chat",
        "requested_model": "gpt-4o",
        "provider": "openai",
        "model": "gpt-4o",
        "attempts": 1,
        "status": 200,
        "details": "via_upstream",
        "started": 1_700_000_000.0,
        "duration": 1.5,
        "usage": Usage(prompt=1000, completion=50, cache_read=200, cache_write=100, reasoning=7),
        "bytes_out": 900,
        "trace_id": TRACE,
        "span_id": SPAN,
        "sampled": True,
        "traced": "" if told is None else orjson.dumps(told).decode(),
    }
    return msgspec.json.encode(Observation(**{**seen, **fields}))
