"""Metrics of real traffic, as Prometheus reads them at the one endpoint."""

import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from planoctl.config.metric_families import WORKER_FAMILIES
from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway
from tests.integration.metrics_traffic import (
    ACCESS,
    CHAT,
    TEAM,
    Scrape,
    body,
    eventually,
    everything_seen,
    metered_gateway,
    scrape,
    total,
)

OPENAI = {"provider": "openai", "model": "gpt-4o"}
CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> Iterator[Gateway]:
    with metered_gateway(tmp_path_factory.mktemp("metered"), mock, KEY) as running:
        yield running


@pytest.fixture(scope="module")
def found(gateway: Gateway) -> Scrape:
    return everything_seen(gateway)


def test_every_family_of_the_workers_has_samples_with_its_labels(found: Scrape) -> None:
    shown = {
        name: {label for labels in found[sample] for label, _ in labels}
        for name, family in WORKER_FAMILIES.items()
        for sample in [f"{name}_count" if family.kind == "histogram" else name]
    }
    assert shown == {name: set(family.labels) for name, family in WORKER_FAMILIES.items()}


def test_attempts_are_told_apart_by_how_they_ended(found: Scrape) -> None:
    name = "brightstaff_llm_upstream_requests_total"
    assert total(found, name, **OPENAI, status_class="2xx", error_class="none") >= 6
    assert total(found, name, model="broken@status=503", status_class="5xx", error_class="none") == 1
    assert total(found, name, model="gone", status_class="error", error_class="connect") == 1
    assert total(found, name, model="down", status_class="error", error_class="other") == 1
    assert total(found, name, model="slow@gap=0.2", error_class="client_disconnect") == 1
    assert total(found, "plano_failovers_total", provider="openai", model="down") == 1


def test_first_tokens_are_those_of_streams_only(found: Scrape) -> None:
    for name in ("brightstaff_llm_time_to_first_token_seconds_count", "extproc_time_to_first_token_seconds_count"):
        assert total(found, name, **OPENAI) == 3
    gen_ai = {"gen_ai_request_model": "gpt-4o", "gen_ai_operation_name": "chat"}
    assert total(found, "gen_ai_server_time_to_first_token_seconds_count", **gen_ai) == 3


def test_tokens_add_up_in_every_family(found: Scrape) -> None:
    prompt = total(found, "brightstaff_llm_tokens_total", **OPENAI, kind="prompt")
    parts = [total(found, "plano_tokens_total", **OPENAI, kind=kind) for kind in ("input", "cache_read", "cache_write")]
    assert prompt == sum(parts) == total(found, "extproc_input_tokens_sum", **OPENAI) > 0
    asked = {"gen_ai_request_model": "gpt-4o", "gen_ai_provider_name": "openai"}
    assert prompt == total(found, "gen_ai_client_token_usage_sum", **asked, gen_ai_token_type="input")
    answered = total(found, "gen_ai_client_token_usage_sum", **asked, gen_ai_token_type="output")
    assert total(found, "brightstaff_llm_tokens_total", **OPENAI, kind="completion") == answered > 0


def test_costs_are_those_of_the_price_list(found: Scrape) -> None:
    from hermesllm.prices import list_price

    rates = list_price("anthropic", "claude-sonnet-4-5")
    assert rates is not None
    assert rates.cache_read is not None
    assert rates.cache_write is not None
    tokens = {kind: total(found, "plano_tokens_total", **CLAUDE, kind=kind) for kind in ("input", "output")}
    cached = [total(found, "plano_tokens_total", **CLAUDE, kind=kind) for kind in ("cache_read", "cache_write")]
    expected = tokens["input"] * rates.input + tokens["output"] * rates.output
    expected += cached[0] * rates.cache_read + cached[1] * rates.cache_write
    assert total(found, "plano_cost_usd_total", **CLAUDE) == pytest.approx(expected / 1e6)
    assert total(found, "plano_unpriced_tokens_total", model="llama-9") > 0


def test_requests_count_for_who_sent_them(found: Scrape) -> None:
    assert total(found, "plano_requests_total", identity=TEAM, status_class="2xx") >= 15
    assert total(found, "plano_tokens_total", identity=TEAM, kind="output") > 0
    assert total(found, "plano_requests_total", identity="", status_class="4xx") == 1
    assert total(found, "plano_ratelimited_requests_total", provider="openai", model="limited") == 1
    assert total(found, "extproc_ratelimited_requests_total") == 1


def test_the_service_counts_its_own_requests_and_decisions(found: Scrape) -> None:
    http = "brightstaff_http_requests_total"
    assert total(found, http, handler="list_models", method="GET", status_class="2xx") >= 1
    assert total(found, http, handler="routing_decision", method="POST", status_class="2xx") == 1
    assert total(found, http, handler="not_found", status_class="4xx") == 1
    assert total(found, "brightstaff_http_request_duration_seconds_count", handler="routing_decision") == 1
    assert total(found, "brightstaff_http_in_flight_requests") == 0
    assert total(found, "brightstaff_router_decisions_total", route="llm") >= 1
    assert total(found, "brightstaff_routing_service_requests_total") == 1
    assert total(found, "brightstaff_session_cache_events_total", outcome="store") >= 1
    assert total(found, "brightstaff_session_cache_events_total", outcome="hit") >= 1


def test_the_gateway_tells_of_itself(found: Scrape, gateway: Gateway) -> None:
    assert total(found, "brightstaff_build_info") == total(found, "plano_config_info") == 1
    assert total(found, "plano_config_reloads_total", outcome="success") == 1
    assert total(found, "plano_config_reloads_total", outcome="failure") == 1
    workers = {f"extproc-{index}" for index in range(2)}
    for name in ("extproc_start_time_seconds", "extproc_resident_memory_bytes", "extproc_cpu_seconds_total"):
        assert {dict(labels)["worker"] for labels in found[name]} == workers
    process = ("cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds")
    for name in (*process, "start_time_seconds", "threads"):
        assert total(found, f"process_{name}") > 0
    assert not [name for name in found if name.endswith("_created")]


def test_nothing_but_metrics_is_served(gateway: Gateway) -> None:
    base = gateway.metrics_url.removesuffix("/metrics")
    served = ("/metrics", "/metrics/envoy", "/metrics/all")
    unserved = ("/", "/health", "/metrics/x", "/stats/prometheus", "/config_dump", "/metrics/envoy/config_dump")
    assert {path: httpx.get(base + path).status_code for path in (*served, *unserved)} == {
        **dict.fromkeys(served, 200),
        **dict.fromkeys(unserved, 404),
    }
    assert {httpx.post(base + path).status_code for path in served} == {405}
    own = f"http://127.0.0.1:{gateway.deployment.ports.brightstaff}/metrics"
    assert httpx.get(own).status_code == 404


def test_envoy_names_clusters_whole(gateway: Gateway, found: Scrape) -> None:
    envoy = scrape(f"{gateway.metrics_url}/envoy")
    assert total(envoy, "envoy_cluster_upstream_rq_total", envoy_cluster_name="brightstaff") > 0
    assert not [name for name in envoy if "0_0_1" in name]


def test_what_has_never_changed_is_left_out_for_who_wants_little(gateway: Gateway, found: Scrape) -> None:
    envoy, used = scrape(f"{gateway.metrics_url}/envoy"), scrape(f"{gateway.metrics_url}/envoy?usedonly")
    assert used.keys() < envoy.keys()
    dropped = "envoy_access_logs_grpc_access_log_logs_dropped"
    assert (dropped in envoy, dropped in used) == (True, False)


def test_one_path_has_everything_and_each_family_once(gateway: Gateway, found: Scrape) -> None:
    text = httpx.get(f"{gateway.metrics_url}/all").text
    described = [line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(set(described)) == len(described)
    joined = scrape(f"{gateway.metrics_url}/all")
    assert joined.keys() >= scrape(gateway.metrics_url).keys() | scrape(f"{gateway.metrics_url}/envoy").keys()


def test_client_texts_never_become_series(gateway: Gateway, found: Scrape) -> None:
    before = sum(len(samples) for samples in scrape(gateway.metrics_url).values())
    answered = total(scrape(gateway.metrics_url), "plano_requests_total")
    with httpx.Client(base_url=gateway.url, headers=ACCESS, timeout=20) as client:
        for number in range(150):
            headers = {"x-team": f"team-{number}", "user-agent": f"agent-{number}", "x-model-affinity": f"s-{number}"}
            asked = body(CHAT, f"unheard-of-{number}/m{number}", stream=False)
            assert client.post(CHAT, json=asked, headers=headers).status_code == 404
            failed = body(CHAT, f"groq/unknown-{number}@status=404", stream=False)
            assert client.post(CHAT, json=failed, headers=headers).status_code == 404
    seen = eventually(gateway, lambda now: total(now, "plano_requests_total") >= answered + 300)
    assert total(seen, "plano_requests_total") >= answered + 300
    assert sum(len(samples) for samples in seen.values()) - before < 150
    assert total(seen, "brightstaff_llm_upstream_requests_total", provider="groq", model="other") >= 150
    assert not [labels for samples in seen.values() for labels in samples if "unknown-" in str(labels)]


def test_nothing_is_lost_while_brightstaff_is_away_or_a_worker_restarts(
    tmp_path_factory: pytest.TempPathFactory, mock: RunningMock
) -> None:
    name = "plano_requests_total"
    with metered_gateway(tmp_path_factory.mktemp("lossless"), mock, KEY) as gateway:
        ask = body(CHAT, "gpt-4o", stream=False)
        before = total(eventually(gateway, lambda _: True), name, status_class="2xx")
        gateway.brightstaff.send_signal(signal.SIGSTOP)
        for _ in range(10):
            httpx.post(gateway.url + CHAT, json=ask, headers=ACCESS, timeout=20).raise_for_status()
        time.sleep(2.5)
        gateway.brightstaff.send_signal(signal.SIGCONT)
        seen = eventually(gateway, lambda now: total(now, name, status_class="2xx") >= before + 10)
        assert total(seen, name, status_class="2xx") == before + 10
        for index, worker in enumerate(gateway.workers):
            worker.send_signal(signal.SIGTERM)
            worker.wait(20)
            gateway.workers[index] = gateway.start_worker(index)
        deadline = time.monotonic() + 20
        while httpx.post(gateway.url + CHAT, json=ask, headers=ACCESS, timeout=20).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        again = eventually(gateway, lambda now: total(now, name, status_class="2xx") >= before + 11)
        assert total(again, name, status_class="2xx") == before + 11
