"""The log stream: batches in, observations out, whatever a record or a subscriber does."""

import pytest

from extproc.accounting.access_log import AccessLog
from extproc.accounting.observation import Observation, Subscriber
from plano_pb import access_log_pb2 as pb


def batch(*paths: str) -> bytes:
    message = pb.StreamAccessLogsMessage()
    for path in paths:
        entry = message.http_logs.log_entry.add()
        entry.request.path = path
        entry.request.request_id = f"id of {path}"
        if path == "strange":
            entry.common_properties.metadata.filter_metadata["plano"].update({"client_format": "no such format"})
    return message.SerializeToString()


CALL = "/v1/chat/completions"


def test_every_record_of_a_batch_is_told_to_every_subscriber_in_order() -> None:
    first: list[Observation] = []
    second: list[Observation] = []
    log = AccessLog([first.append, second.append])
    log.take(batch(CALL, "/healthz", "/v1/messages"))
    log.take(batch("/v1/embeddings"))
    assert [seen.client_format for seen in first] == ["chat", "anthropic", "embeddings"]
    assert first == second
    assert (log.read, log.faults) == (3, 0)


def test_a_strange_record_or_batch_is_counted_and_the_rest_still_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Observation] = []
    log = AccessLog([told.append])
    log.take(b"\xff\xff no protobuf")
    log.take(batch("strange", CALL))
    assert [seen.request_id for seen in told] == [f"id of {CALL}"]
    assert (log.read, log.faults) == (1, 2)
    assert "request_id=id of strange" in caplog.text


def test_a_subscriber_that_fails_does_not_keep_it_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Observation] = []

    def failing(_: Observation) -> None:
        raise RuntimeError("out of order")

    log = AccessLog([failing, told.append])
    log.take(batch(CALL))
    assert len(told) == log.faults == 1
    assert "out of order" in caplog.text


def test_subscribers_may_come_later() -> None:
    subscribers: list[Subscriber] = []
    told: list[Observation] = []
    log = AccessLog(subscribers)
    subscribers.append(told.append)
    log.take(batch(CALL))
    assert len(told) == 1
