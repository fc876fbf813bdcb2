"""What a decision of brightstaff means to a request, against a real RoutingService on a Unix socket."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import unquote

import grpc
import grpc.aio
import orjson
import pytest

from extproc.decision import Decided, decide
from extproc.errors import RoutingUnavailable
from extproc.request_body import RequestBody
from extproc.routing import RoutingClient
from extproc.snapshot import Snapshot
from hermesllm.formats import Format
from plano_pb import routing_pb2 as pb
from planoctl.config.runtime import ModelProvider, Overrides, Routing, RuntimeConfig, SessionCache

ENTRY = ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o", access_key="k")
CONFIG = RuntimeConfig(
    version="v0.4.0",
    model_providers=(ENTRY,),
    routing=Routing(session_cache=SessionCache(tenant_header="X-Tenant")),
    overrides=Overrides(routing_timeout_ms=5000),
)
STRICT = RuntimeConfig(version="v0.4.0", model_providers=(ENTRY,), routing=Routing(on_error="fail"))
HEADERS = {
    "x-request-id": "r-1",
    "x-model-affinity": "s-1",
    "x-tenant": "t-1",
    "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    "authorization": "Bearer secret",
}


class Brightstaff:
    """Answers with `decision` and keeps the questions."""

    def __init__(self) -> None:
        self.decision = pb.Decision(outcome=pb.Decision.NO_ROUTE)
        self.asked: list[pb.DecideRequest] = []

    async def decide(self, request: pb.DecideRequest, _context: object) -> pb.Decision:
        self.asked.append(request)
        return self.decision


@pytest.fixture
async def brightstaff() -> Brightstaff:
    return Brightstaff()


@pytest.fixture
async def client(tmp_path: Path, brightstaff: Brightstaff) -> AsyncIterator[RoutingClient]:
    server = grpc.aio.server()
    handler: Callable[..., grpc.RpcMethodHandler[pb.DecideRequest, pb.Decision]] = grpc.unary_unary_rpc_method_handler
    method = handler(
        brightstaff.decide,
        request_deserializer=pb.DecideRequest.FromString,
        response_serializer=pb.Decision.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("plano.routing.v1.RoutingService", {"Decide": method})
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"unix:{tmp_path}/b.sock")
    await server.start()
    connected = RoutingClient(f"unix:{tmp_path}/b.sock")
    yield connected
    await connected.close()
    await server.stop(None)


async def decided(client: RoutingClient, config: RuntimeConfig = CONFIG, **members: object) -> Decided:
    document = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Fix it"}], **members}
    body = RequestBody.read(orjson.dumps(document), "", 1 << 20)
    body.take_inline_preferences()
    snapshot = Snapshot.of(config)
    named = [found for found in [snapshot.registry.resolve("gpt-4o")] if found is not None]
    return await decide(client, snapshot, Format.CHAT, HEADERS, body, named)


async def test_brightstaff_is_asked_with_what_it_needs_and_no_credentials(
    client: RoutingClient, brightstaff: Brightstaff
) -> None:
    await decided(client)
    (asked,) = brightstaff.asked
    assert [(turn.role, turn.text) for turn in asked.conversation] == [("user", "Fix it")]
    assert (asked.request_id, asked.requested_model) == ("r-1", "openai/gpt-4o")
    assert (asked.session_id, asked.tenant) == ("s-1", "t-1")
    assert dict(asked.headers) == {"traceparent": HEADERS["traceparent"]}
    assert not asked.HasField("inline_preferences")
    assert b"secret" not in asked.SerializeToString()


async def test_preferences_of_the_request_go_along(client: RoutingClient, brightstaff: Brightstaff) -> None:
    preference = {"name": "code", "description": "d", "models": ["a", "b"], "selection_policy": {"prefer": "cheapest"}}
    await decided(client, routing_preferences=[preference])
    (sent,) = brightstaff.asked[0].inline_preferences.preferences
    assert (sent.name, sent.description, list(sent.models), sent.prefer) == ("code", "d", ["a", "b"], "cheapest")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(pb.Decision.ROUTED, "routed"), (pb.Decision.PINNED, "pinned")],
)
async def test_a_route_gives_the_models_and_is_told(
    client: RoutingClient, brightstaff: Brightstaff, outcome: pb.Decision.Outcome, word: str
) -> None:
    brightstaff.decision = pb.Decision(outcome=outcome, route="code", models=["b", "a"], reason="why")
    found = await decided(client)
    assert found.models == ("b", "a")
    assert found.headers() == {"x-plano-routing": word, "x-plano-route": "code"}
    assert found.metadata() == {"route": "code", "routing": word, "routing_reason": "why"}


async def test_without_a_route_the_clients_own_choice_stands(client: RoutingClient) -> None:
    found = await decided(client)
    assert found.models == ()
    assert found.headers() == {"x-plano-routing": "no-route"}


@pytest.mark.parametrize("code", ["timeout", "status_503", ""])
async def test_a_failure_is_told_with_its_reason_and_the_request_goes_on(
    client: RoutingClient, brightstaff: Brightstaff, code: str
) -> None:
    brightstaff.decision = pb.Decision(outcome=pb.Decision.FAILED, reason="no answer", reason_code=code)
    found = await decided(client)
    assert found.models == ()
    assert found.headers() == {"x-plano-routing": f"failed; reason={code or 'error'}"}


async def test_a_failure_ends_the_request_only_where_the_configuration_says_so(
    client: RoutingClient, brightstaff: Brightstaff
) -> None:
    brightstaff.decision = pb.Decision(outcome=pb.Decision.FAILED, reason="the model is gone", reason_code="http")
    with pytest.raises(RoutingUnavailable, match="the model is gone") as caught:
        await decided(client, STRICT)
    assert caught.value.status == 503
    brightstaff.decision = pb.Decision(outcome=pb.Decision.NO_ROUTE)
    assert (await decided(client, STRICT)).outcome == "no-route"


async def test_a_brightstaff_that_is_not_there_is_a_failed_decision(tmp_path: Path) -> None:
    client = RoutingClient(f"unix:{tmp_path}/nobody.sock")
    found = await decided(client)
    assert found.outcome == "failed; reason=unavailable"
    with pytest.raises(RoutingUnavailable):
        await decided(client, STRICT)
    await client.close()


@pytest.mark.parametrize(
    ("route", "header"),
    [
        ("code", "code"),
        ("bug fixing / C++ (fast), 50 €", "bug fixing / C++ (fast), 50 %E2%82%AC"),
        ("100%", "100%25"),
        ("código", "c%C3%B3digo"),
        ("コード", "%E3%82%B3%E3%83%BC%E3%83%89"),
        ("a\r\nevil: 1", "a%0D%0Aevil: 1"),
        ("\x00\x7f", "%00%7F"),
    ],
)
def test_names_of_routes_are_percent_encoded_where_a_header_cannot_hold_them(route: str, header: str) -> None:
    headers = Decided(("m",), route, "routed").headers()
    assert headers["x-plano-route"] == header
    assert unquote(header) == route
    assert Decided(("m",), route, "routed").metadata()["route"] == route
