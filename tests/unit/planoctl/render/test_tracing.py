import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from planoctl.config.clusters import COLLECTOR
from planoctl.config.deployment import Deployment
from planoctl.config.runtime import Listener, ModelProvider, RuntimeConfig, Tracing
from planoctl.envoy_binary import find_envoy
from planoctl.render import render_envoy, write_envoy
from planoctl.render.tracing import collector_cluster, tracer

RELAY = Path("/run/brightstaff.sock")


def config(**tracing: Any) -> RuntimeConfig:
    provider = ModelProvider(
        name="openai/gpt-4o", provider_interface="openai", model="gpt-4o", access_key="k",
        endpoint="api.openai.com", port=443, protocol="https", cluster_name="openai",
    )  # fmt: skip
    return RuntimeConfig(
        version="v0.4.0",
        listeners=(
            Listener(type="model", name="llm", port=12000),
            Listener(type="agent", name="agents", port=12001),
        ),
        model_providers=(provider,),
        tracing=Tracing(**tracing) if tracing else None,
    )


@pytest.mark.parametrize(
    "tracing",
    [
        {},
        {"random_sampling": 0, "opentracing_grpc_endpoint": "http://c:4317"},
        {"random_sampling": 0, "exporters": ({"type": "console"},)},
        {"random_sampling": 100},
    ],
)
def test_without_sampling_or_a_destination_envoy_traces_nothing(tracing: Any, tmp_path: Path) -> None:
    assert tracer(config(**tracing), internal=False) is None
    assert collector_cluster(config(**tracing), "ca.pem", RELAY) == []
    rendered = json.dumps(render_envoy(config(**tracing), Deployment(run_dir=tmp_path)))
    assert COLLECTOR not in rendered


def test_a_collector_is_a_cluster_with_tls_where_its_url_says_so() -> None:
    (plain,) = collector_cluster(
        config(random_sampling=1, opentracing_grpc_endpoint="http://[::1]:4317"), "ca.pem", RELAY
    )
    address = plain["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert (address, "transport_socket" in plain) == ({"address": "::1", "port_value": 4317}, False)
    (secure,) = collector_cluster(
        config(random_sampling=1, opentracing_grpc_endpoint="https://c.example"), "ca.pem", RELAY
    )
    context = secure["transport_socket"]["typed_config"]
    assert (context["sni"], context["auto_sni_san_validation"]) == ("c.example", True)
    assert context["common_tls_context"]["validation_context"]["trusted_ca"] == {"filename": "ca.pem"}


@pytest.mark.parametrize("kind", ["otlp_http", "posthog", "console"])
def test_without_a_collector_that_speaks_grpc_brightstaff_is_sent_the_spans(kind: str) -> None:
    (cluster,) = collector_cluster(config(random_sampling=1, exporters=({"type": kind},)), "ca.pem", RELAY)
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert (cluster["type"], endpoint["endpoint"]["address"]) == ("STATIC", {"pipe": {"path": str(RELAY)}})


@pytest.mark.envoy
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4317", "https://collector.example:4317", None])
def test_envoy_takes_it(endpoint: str | None, tmp_path: Path) -> None:
    deployment = Deployment(run_dir=tmp_path)
    tracing = {"opentracing_grpc_endpoint": endpoint} if endpoint else {"exporters": ({"type": "console"},)}
    rendered = render_envoy(config(random_sampling=7, **tracing), deployment)
    deployment.log_dir.mkdir(parents=True, exist_ok=True)
    write_envoy(rendered, deployment.envoy_dir)
    static = next(name for name in rendered if "static" in name)
    command = [str(find_envoy()), "--mode", "validate", "-c", str(deployment.envoy_dir / static)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
