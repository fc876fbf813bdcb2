import pytest

from planoctl.config.inactive import inactive
from planoctl.config.runtime import (
    Listener,
    Overrides,
    PromptCaching,
    Routing,
    RoutingBudget,
    RuntimeConfig,
    StateStorage,
    Tracing,
)

MODEL = Listener(type="model", name="llm", port=12000)


def config(**sections: object) -> RuntimeConfig:
    return RuntimeConfig(version="v0.4.0", **{"listeners": (MODEL,), **sections})  # type: ignore[arg-type]


def test_a_plain_gateway_gets_no_warning() -> None:
    assert inactive(config()) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("routing.route_on_user_only", Routing(route_on_user_only=True)),
        ("routing.routing_budget", Routing(routing_budget=RoutingBudget(max_switch_spend_pct=20))),
        ("overrides.llm_routing_model", Overrides(llm_routing_model="plano/orchestrator")),
        (
            "tracing.trace_arch_internal",
            Tracing(random_sampling=1, opentracing_grpc_endpoint="http://collector:4317", trace_arch_internal=False),
        ),
        ("prompt_caching", PromptCaching(enabled=True)),
        ("state_storage", StateStorage(type="memory")),
        ("listeners", (MODEL, Listener(type="agent", name="a", port=8001))),
        ("listeners", (Listener(type="model", name="llm", port=12000, input_filters=("guard",)),)),
    ],
)
def test_what_is_asked_for_and_not_done_is_said(path: str, value: object) -> None:
    (warning,) = inactive(config(**{path.partition(".")[0]: value}))
    assert (warning.severity, warning.code, warning.path) == ("warning", "not-active-yet", path)
