"""Envoy's access log as it arrives: batches of records in, observations out to the subscribers."""

import logging
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from extproc.accounting.observation import Observation, Subscriber
from extproc.accounting.records import observation
from plano_pb import access_log_pb2 as pb

log = logging.getLogger(__name__)

STREAM_ACCESS_LOGS = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"


class AccessLog:
    """Reads batches and tells the subscribers, in their order. `read` and `faults` count records.

    Each Envoy thread sends its records to one of the workers, not to the one that handled the request.
    """

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers
        self.read = 0
        self.faults = 0

    def take(self, batch: bytes) -> None:
        """One message of the log stream. Never raises: what cannot be read is counted, and the rest still counts."""
        try:
            entries = pb.StreamAccessLogsMessage.FromString(batch).http_logs.log_entry
        except DecodeError:
            self._failed("a batch of access-log records cannot be read")
            return
        for entry in entries:
            try:
                seen = observation(entry)
            except Exception:  # noqa: BLE001 — the edge: one strange record must not end the log
                self._failed("an access-log record cannot be read: request_id=%s", entry.request.request_id)
                continue
            if seen is not None:
                self.read += 1
                self._tell(seen)

    def _tell(self, seen: Observation) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(seen)
            except Exception:  # noqa: BLE001 — the edge: one subscriber must not keep it from the others
                self._failed("a subscriber failed: request_id=%s", seen.request_id)

    def _failed(self, text: str, *arguments: str) -> None:
        self.faults += 1
        log.exception(text, *arguments)
