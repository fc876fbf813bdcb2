"""Traces over a restart of the collector: a file with a span as JSON on each line, readable by its owner only."""

import logging
from pathlib import Path

import msgspec

from planoctl.private_files import replaced_privately
from planoctl.traces.span import Span
from planoctl.traces.store import TraceStore

log = logging.getLogger(__name__)

_DECODER = msgspec.json.Decoder(Span)


def save(store: TraceStore, path: Path) -> None:
    """Write what the store holds, in one step; a file that cannot be written is logged."""
    try:
        with replaced_privately(path) as stream:
            for encoded in store.encoded():
                stream.write(encoded + b"\n")
    except OSError as error:
        log.warning("traces are lost: %s cannot be written: %s", path, error)


def load(path: Path, store: TraceStore) -> None:
    """Add what was saved to the store. What cannot be read, or is larger than a store gets, is logged and left out."""
    try:
        _check_size(path, 2 * store.limits.size)
        with path.open("rb") as stream:
            for line in stream:
                store.add(_DECODER.decode(line))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        log.warning("earlier traces are left out: %s cannot be read: %s", path, error)


def _check_size(path: Path, most: int) -> None:
    size = path.stat().st_size
    if size > most:
        raise ValueError(f"it is too large ({size} bytes)")
