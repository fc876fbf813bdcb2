"""The rendered files, judged by envoy-data-plane's types here and by Envoy itself in tests/integration."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.config.runtime import Failover, Listener, ModelProvider, Overrides, Routing, RuntimeConfig
from planoctl.render import render_envoy, write_envoy
from planoctl.render.xds import routes_file, version_of

NEWER = "PriorityGroupClusterSpecifier"  # envoy-data-plane does not know it yet; `envoy --mode validate` does
MISREAD = {"consecutive_5xx"}  # envoy-data-plane looks this one up as `consecutive_5_xx`
DEPLOYMENT = Deployment(run_dir=Path("/run/plano"), workers=3, ports=InternalPorts(brightstaff=19091, admin=19901))


def provider(name: str, **fields: Any) -> ModelProvider:
    known: dict[str, Any] = {
        "provider_interface": "openai", "model": name, "endpoint": "api.openai.com", "port": 443, "protocol": "https",
        "cluster_name": "openai",
    }  # fmt: skip
    return ModelProvider(name=name, **{**known, **fields})


def config(*providers: ModelProvider, **sections: Any) -> RuntimeConfig:
    listeners = sections.pop("listeners", (Listener(type="model", name="llm", port=12000),))
    return RuntimeConfig(version="v0.4.0", listeners=listeners, model_providers=providers, **sections)


def rendered(*providers: ModelProvider, **sections: Any) -> dict[str, Any]:
    files = render_envoy(config(*providers, **sections), DEPLOYMENT)
    return {name: yaml.safe_load(text) for name, text in files.items()}


def typed(value: Any) -> Iterator[dict[str, Any]]:
    """Every typed message in a document, innermost first."""
    if isinstance(value, dict):
        for item in value.values():
            yield from typed(item)
        if "@type" in value:
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from typed(item)


def without_typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_typed(item)
            for key, item in value.items()
            if key not in {"@type", *MISREAD} and not (isinstance(item, dict) and "@type" in item)
        }
    return [without_typed(item) for item in value] if isinstance(value, list) else value


def message_class(type_url: str) -> Any:
    package, _, name = type_url.removeprefix("type.googleapis.com/").rpartition(".")
    return getattr(importlib.import_module(f"envoy_data_plane.{package}"), name)


EVERYTHING: dict[str, Any] = {
    "listeners": (
        Listener(type="model", name='models "quoted": {[', port=12000, max_retries=3, timeout="30s"),
        Listener(type="agent", name="travel agents", port=8001),
        Listener(type="prompt", name="prompts", port=10000),
    ),
}
PROVIDERS = (
    provider("openai/gpt-4o"),
    provider("plain", endpoint="127.0.0.1", port=8000, protocol="http", cluster_name="openai_127.0.0.1_8000"),
    provider("ip-tls", endpoint="127.0.0.1", port=8443, cluster_name="openai_127.0.0.1_8443"),
    provider("hosted", endpoint="lb.example.com", http_host="api.example.com", cluster_name="openai_lb.example.com"),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # envoy-data-plane's, on import
def test_every_message_has_only_fields_that_envoys_types_know() -> None:
    documents = rendered(*PROVIDERS, **EVERYTHING)
    followed = [document for name, document in documents.items() if not name.startswith("envoy.")]
    messages = [message for document in followed for message in typed(document)]
    messages = [message for message in messages if not message["@type"].endswith(NEWER)]
    assert len(messages) > 20
    for message in messages:
        message_class(message["@type"]).from_dict(without_typed(message))
    bootstrap = message_class("envoy.config.bootstrap.v3.Bootstrap")
    bootstrap.from_dict(without_typed(documents["envoy.yaml"]))


def test_the_bootstrap_reads_listeners_and_clusters_from_files() -> None:
    bootstrap = rendered(*PROVIDERS)["envoy.yaml"]
    dynamic = bootstrap["dynamic_resources"]
    assert dynamic["lds_config"]["path_config_source"]["path"] == "/run/plano/envoy/lds.yaml"
    assert dynamic["cds_config"]["path_config_source"]["path"] == "/run/plano/envoy/cds.yaml"
    assert "listeners" not in bootstrap["static_resources"]


def test_routes_are_apart_from_their_listener_so_that_their_change_replaces_no_listener() -> None:
    before = render_envoy(config(), DEPLOYMENT)
    after = render_envoy(config(routing=Routing(failover=Failover(per_try_timeout="7s"))), DEPLOYMENT)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {routes_file("llm"), "envoy.static.yaml"}
    assert version_of(before[routes_file("llm")]) != version_of(after[routes_file("llm")])
    manager = yaml.safe_load(after["lds.yaml"])["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["rds"]["config_source"]["path_config_source"]["path"] == f"/run/plano/envoy/{routes_file('llm')}"


def test_the_static_form_holds_the_same_listeners_and_clusters() -> None:
    documents = rendered(*PROVIDERS, **EVERYTHING)
    static = documents["envoy.static.yaml"]["static_resources"]
    assert [item["name"] for item in static["listeners"]] == [
        item["name"] for item in documents["lds.yaml"]["resources"]
    ]
    assert [item["name"] for item in static["clusters"]] == [
        "extproc", "brightstaff", *(item["name"] for item in documents["cds.yaml"]["resources"]),
    ]  # fmt: skip


def test_what_is_internal_listens_on_loopback_or_on_sockets_only() -> None:
    bootstrap = rendered(*PROVIDERS)["envoy.yaml"]
    assert bootstrap["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 19901}
    sidecar, brightstaff = bootstrap["static_resources"]["clusters"]
    endpoints = [item["endpoint"]["address"] for item in sidecar["load_assignment"]["endpoints"][0]["lb_endpoints"]]
    assert endpoints == [{"pipe": {"path": f"/run/plano/extproc-{index}.sock"}} for index in range(3)]
    assert "127.0.0.1" in json.dumps(brightstaff)


def test_two_models_of_one_provider_share_a_cluster_and_internal_entries_have_none() -> None:
    clusters = rendered(
        provider("openai/gpt-4o"),
        provider("openai/gpt-4o-mini"),
        provider("plano-orchestrator", internal=True, endpoint="hosted.example", cluster_name="plano"),
    )["cds.yaml"]["resources"]
    assert [cluster["name"] for cluster in clusters] == ["openai", "openai~first", "openai~chain", "openai~stream"]


def test_one_model_alone_has_no_chains() -> None:
    documents = rendered(provider("openai/gpt-4o"))
    assert [cluster["name"] for cluster in documents["cds.yaml"]["resources"]] == ["openai"]


@pytest.mark.parametrize(
    ("entry", "kind", "hostname", "sni", "san"),
    [
        (PROVIDERS[0], "LOGICAL_DNS", "api.openai.com", "api.openai.com", ("DNS", "api.openai.com")),
        (PROVIDERS[1], "STATIC", "127.0.0.1:8000", None, None),
        (PROVIDERS[2], "STATIC", "127.0.0.1:8443", None, ("IP_ADDRESS", "127.0.0.1")),
        (PROVIDERS[3], "LOGICAL_DNS", "api.example.com", "api.example.com", ("DNS", "api.example.com")),
    ],
)
def test_host_and_certificate_checks_follow_from_the_base_url(
    entry: ModelProvider, kind: str, hostname: str, sni: str | None, san: tuple[str, str] | None
) -> None:
    (cluster,) = rendered(entry)["cds.yaml"]["resources"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert (cluster["type"], endpoint["hostname"]) == (kind, hostname)
    tls = cluster.get("transport_socket", {}).get("typed_config")
    assert (tls or {}).get("sni") == sni
    if san:
        (match,) = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
        assert (match["san_type"], match["matcher"]["exact"]) == san
    else:
        assert tls is None


def test_no_key_reaches_envoys_files() -> None:
    files = render_envoy(
        config(provider("openai/gpt-4o", access_key="sk-secret", headers={"x-a": "sk-two"})), DEPLOYMENT
    )
    assert not any("sk-" in text for text in files.values())


def test_a_config_without_providers_still_renders() -> None:
    assert rendered()["cds.yaml"]["resources"] == []


def test_a_route_takes_whole_bodies_and_a_connection_holds_little_for_a_slow_reader() -> None:
    documents = rendered(overrides=Overrides(max_request_bytes=4 * 1024 * 1024))
    (listener,) = documents["lds.yaml"]["resources"]
    (routes,) = documents[routes_file("llm")]["resources"]
    route = routes["virtual_hosts"][0]["routes"][-1]
    assert route["request_body_buffer_limit"] == 6 * 1024 * 1024  # a quarter more, and a spare MiB
    assert listener["per_connection_buffer_limit_bytes"] == 1024 * 1024


def test_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "envoy"
    write_envoy({"lds.yaml": "old", "cds.yaml": "old"}, folder)
    before = (folder / "lds.yaml").stat().st_ino
    write_envoy({"lds.yaml": "new", "cds.yaml": "new"}, folder)
    assert (folder / "lds.yaml").stat().st_ino != before
    assert sorted(path.name for path in folder.iterdir()) == ["cds.yaml", "lds.yaml"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


def breakers(files: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = files["cds.yaml"]["resources"][0]["circuit_breakers"]["thresholds"][0]
    return found


def test_connections_to_a_provider_are_bounded_by_the_machine_and_its_requests_by_the_user() -> None:
    most = DEPLOYMENT.capacity.provider_connections
    assert breakers(rendered(provider("a")))["max_connections"] == most
    limited = breakers(rendered(provider("a"), overrides=Overrides(max_provider_requests=7)))
    assert (limited["max_connections"], limited["max_pending_requests"], limited["max_requests"]) == (7, 7, 7)
    assert limited["max_retries"] > most


@pytest.mark.parametrize(("timeout", "within"), [("300s", "600s"), ("2s", "600s"), ("900s", "1800s"), ("0s", "600s")])
def test_a_request_may_take_ten_minutes_to_arrive_or_twice_its_longest_pause(timeout: str, within: str) -> None:
    listener = Listener(type="model", name="llm", port=12000, timeout=timeout)
    files = rendered(provider("a"), listeners=(listener,))
    manager = files["lds.yaml"]["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["request_timeout"] == within
    assert manager["stream_idle_timeout"] == timeout


def test_who_looks_after_a_full_gateway_gets_in() -> None:
    bootstrap = rendered(provider("a"))["envoy.yaml"]
    assert bootstrap["admin"]["ignore_global_conn_limit"] is True
    monitors = [monitor["typed_config"] for monitor in bootstrap["overload_manager"]["resource_monitors"]]
    assert monitors[0]["max_heap_size_bytes"] == DEPLOYMENT.capacity.heap_bytes
    assert monitors[1]["max_active_downstream_connections"] == DEPLOYMENT.capacity.connections
