"""The listener stage with limits: what it tells Envoy, and when it settles."""

from typing import Any

import pytest

from extproc.health import Health
from extproc.limits.limits import Limits
from extproc.listener_stage import ListenerStage
from extproc.routing import RoutingClient
from extproc.services import Services
from extproc.snapshot import Snapshot
from hermesllm.usage import Usage
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.runtime import (
    Listener,
    ModelProvider,
    RateLimit,
    RateLimitQuota,
    RateLimitSelector,
    RuntimeConfig,
)


def provider(model: str, **more: Any) -> ModelProvider:
    return ModelProvider(
        name=f"openai/{model}", provider_interface="openai", model=model, access_key="k", cluster_name=model, **more
    )


class Setting:
    """A worker with limits, of which each request gets a stage."""

    def __init__(self, *ratelimits: RateLimit) -> None:
        config = RuntimeConfig(
            version="v0.4.0",
            listeners=(Listener(type="model", name="llm", port=12000),),
            model_providers=(provider("one", fallbacks=("openai/two",)), provider("two"), provider("single")),
            ratelimits=ratelimits,
        )
        self.limits = Limits()
        self._snapshot = Snapshot.of(config)
        self._services = Services(Health(config.routing.failover), RoutingClient("unix:/nowhere"), limits=self.limits)

    def ask(self, model: str, **headers: str) -> "Request":
        return Request(ListenerStage(self._snapshot, self._services), model, headers)


class Request:
    """One request up to what the stage tells Envoy of it."""

    def __init__(self, stage: ListenerStage, model: str, headers: dict[str, str]) -> None:
        self._stage = stage
        start = _headers({":path": "/v1/chat/completions", ":method": "POST", **headers})
        self._send(request_headers=start)
        text = b'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' % model.encode()
        self.reply = self._send(request_body=pb.HttpBody(body=text, end_of_stream=True))

    def answer(self, status: str, **headers: str) -> pb.ProcessingResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(response_headers=_headers({":status": status, "content-type": "application/json", **sent}))

    @property
    def refused(self) -> int:
        return int(self.reply.immediate_response.status.code)

    @property
    def reservation(self) -> str:
        return metadata(self.reply)

    def _send(self, **message: Any) -> pb.ProcessingResponse:
        reply = self._stage.handle(pb.ProcessingRequest(**message))
        assert isinstance(reply, bytes)
        return pb.ProcessingResponse.FromString(reply)


def metadata(reply: pb.ProcessingResponse) -> str:
    text: str = reply.dynamic_metadata.fields["plano"].struct_value.fields["reservation"].string_value
    return text


def _headers(values: dict[str, str]) -> pb.HttpHeaders:
    found = [pb.HeaderValue(key=name, raw_value=value.encode()) for name, value in values.items()]
    return pb.HttpHeaders(headers=pb.HeaderMap(headers=found))


def told(reply: pb.ProcessingResponse) -> dict[str, str]:
    changes = reply.response_headers.response.header_mutation.set_headers
    return {option.header.key: option.header.raw_value.decode() for option in changes}


def limit(model: str, *, selector: RateLimitSelector | None = None, **quota: int) -> RateLimit:
    return RateLimit(model=model, selector=selector, limit=RateLimitQuota(unit="hour", **quota))


def test_the_reservation_travels_in_the_metadata_and_settles_by_its_text_alone() -> None:
    setting = Setting(limit("single", tokens=10))
    first = setting.ask("single")
    assert first.reservation
    setting.limits.settle(first.reservation, Usage(prompt=10), 200)
    assert setting.ask("single").refused == 429


def test_a_providers_own_limits_are_shown_only_where_the_gateway_has_none() -> None:
    setting = Setting(limit("single", tokens=100))
    theirs = {"x_ratelimit_remaining_tokens": "5", "x_ratelimit_reset_images": "1s", "anthropic_ratelimit_x": "1"}
    limited = setting.ask("single").answer("200", **theirs)
    assert told(limited)["x-ratelimit-limit-tokens"] == "100"
    removed = limited.response_headers.response.header_mutation.remove_headers
    assert set(removed) >= {"x-ratelimit-reset-images", "anthropic-ratelimit-x"}
    assert "x-ratelimit-remaining-tokens" not in removed
    request = setting.ask("two")
    assert not request.reservation
    unlimited = request.answer("200", **theirs)
    assert not [name for name in told(unlimited) if "ratelimit" in name]
    assert not unlimited.response_headers.response.header_mutation.remove_headers


@pytest.mark.parametrize("status", ["400", "429", "500", "503"])
def test_a_request_that_failed_is_settled_at_once(status: str) -> None:
    setting = Setting(limit("single", tokens=1))
    for _ in range(3):
        request = setting.ask("single")
        assert not request.refused
        request.answer(status)
    assert not setting.ask("single").refused
    assert setting.ask("single").refused == 429


def test_when_a_fallback_answers_the_reservation_moves_to_it() -> None:
    setting = Setting(limit("one", tokens=1), limit("two", tokens=5, requests=2))
    request = setting.ask("one")
    reply = request.answer("200", **{"x-envoy-attempt-count": "2"})
    moved = metadata(reply)
    assert moved
    assert moved != request.reservation
    setting.limits.settle(moved, Usage(prompt=4), 200)
    assert told(setting.ask("two").answer("200"))["x-ratelimit-remaining-tokens"] == "0"
    assert setting.ask("two").refused == 429
    assert not setting.ask("one").refused, "its tokens have come back"


def test_the_gateways_own_requests_are_not_limited() -> None:
    setting = Setting(limit("*", requests=1))
    internal = {"x-arch-listener": "internal"}
    assert not any(setting.ask("single", **internal).refused for _ in range(3))
    assert [setting.ask("single").refused for _ in range(2)] == [0, 429]
