"""Each panel and each alert, asked of a real scrape; and by a real Prometheus where one is installed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from planoctl.config.deployment import InternalPorts
from planoctl.mock_provider.server import RunningMock
from tests.dashboards import (
    ALERTS,
    DASHBOARDS,
    SCRAPING,
    Query,
    Selector,
    alert_queries,
    panel_queries,
    panels,
    selectors,
)
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port
from tests.integration.metrics_traffic import Scrape, everything_seen, metered_gateway, scrape, send_everything

PANELS, ALERTING = panel_queries("30s"), alert_queries()
ADDED_BY_PROMETHEUS, OF_PROMETHEUS = {"job", "instance", "service"}, {"up"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> Iterator[Gateway]:
    with metered_gateway(tmp_path_factory.mktemp("shown"), mock, KEY) as running:
        yield running


JOBS = tuple(job["metrics_path"] for job in yaml.safe_load(SCRAPING.read_text())["scrape_configs"])
OF_PODS = ("/metrics/all",)


@pytest.fixture(scope="module", params=[JOBS, OF_PODS], ids=["jobs of our Prometheus", "the one path of pods"])
def found(gateway: Gateway, request: pytest.FixtureRequest) -> Scrape:
    """What a Prometheus reads that follows our configuration, or the annotations of pods."""
    everything_seen(gateway)
    base = gateway.metrics_url.removesuffix("/metrics")
    return scrape(*(base + path for path in request.param))


def test_envoy_is_asked_about_too() -> None:
    asked = {selector.metric for query in (*PANELS, *ALERTING) for selector in selectors(query.text)}
    assert {name for name in asked if name.startswith("envoy_")} >= {
        "envoy_server_memory_physical_size",
        "envoy_access_logs_grpc_access_log_logs_dropped",
    }


def test_no_query_depends_on_the_name_of_a_job() -> None:
    asked = {selector for query in (*PANELS, *ALERTING) for selector in selectors(query.text)}
    assert [each for each in asked if any(label == "job" for label, _, _ in each.matchers)] == []


def test_every_job_scrapes_the_one_metrics_address() -> None:
    jobs = yaml.safe_load(SCRAPING.read_text())["scrape_configs"]
    assert {target for job in jobs for each in job["static_configs"] for target in each["targets"]} == {
        str(InternalPorts().metrics_address)
    }


def test_everything_that_a_query_reads_is_there(found: Scrape) -> None:
    missing = {query.where: selector for query in (*PANELS, *ALERTING) for selector in _missing(query, found)}
    assert missing == {}


def _missing(query: Query, found: Scrape) -> Iterator[Selector]:
    """What of a query no sample of the scrape fits."""
    for selector in selectors(query.text):
        asked = tuple(matcher for matcher in selector.matchers if matcher[0] not in ADDED_BY_PROMETHEUS)
        narrowed = Selector(selector.metric, asked)
        samples = (dict(labels) for labels in found.get(selector.metric, {}))
        if selector.metric not in OF_PROMETHEUS and not any(map(narrowed.matches, samples)):
            yield selector


def test_a_query_for_what_is_not_there_is_noticed(found: Scrape) -> None:
    for text in ('rate(plano_requests_total{identity="nobody"}[5m])', "sum(plano_requests) > 1"):
        assert list(_missing(Query("a panel", text), found))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_are_numbered_once_and_lie_side_by_side(path: Path) -> None:
    shown = panels(path)
    assert len({panel["id"] for panel in shown}) == len(shown)
    covered: set[tuple[int, int]] = set()
    for panel in shown:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + 1)}
        assert place["x"] + place["w"] <= 24
        assert not cells & covered
        covered |= cells
        assert panel["fieldConfig"]["defaults"]["unit"]


def binary(name: str) -> Path | None:
    """`make prometheus` puts Debian's into the virtual environment."""
    own = Path(sys.prefix) / "prometheus" / "usr" / "bin" / name
    on_path = shutil.which(name)
    return own if own.exists() else Path(on_path) if on_path else None


@pytest.fixture(scope="module")
def prometheus(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one that has read our configuration, and the gateway twice, with traffic in between."""
    program = binary("prometheus")
    if program is None:
        pytest.skip("no Prometheus is installed: run `make prometheus`")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = yaml.safe_load(SCRAPING.read_text())
    settings["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
    for job in settings["scrape_configs"]:
        job["static_configs"][0]["targets"] = [str(gateway.deployment.ports.metrics_address)]
    shutil.copy(ALERTS, folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    arguments = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    url = f"http://127.0.0.1:{port}"
    send_everything(gateway)
    with (folder / "log").open("wb") as log:
        argv = [str(program), *arguments, f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log, env={**os.environ})
    try:
        _until(url, 'min(count_over_time(up{service="plano"}[1m])) >= 3', folder / "log")
        send_everything(gateway)
        _until(url, 'sum(increase(plano_requests_total{status_class="5xx"}[30s])) > 0', folder / "log")
        time.sleep(3)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _until(url: str, query: str, log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            if _ask(url, query):
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"{query} never held\n{log.read_text()[-3000:]}")


def _ask(url: str, query: str) -> list[Any]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10)
    assert answer.status_code in (200, 503), f"{query}: {answer.text}"
    result: list[Any] = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return result


def test_prometheus_finds_data_for_each_panel(prometheus: str) -> None:
    values = {query.where: [float(each["value"][1]) for each in _ask(prometheus, query.text)] for query in PANELS}
    assert [where for where, found in values.items() if all(map(isnan, found))] == []


def test_prometheus_takes_up_every_alert(prometheus: str) -> None:
    groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert rules.keys() == {query.where for query in ALERTING}
    assert {rule["health"] for rule in rules.values()} == {"ok"}, rules
    assert {rules["PlanoErrorRate"]["state"], rules["PlanoGatewayUnreachable"]["state"]} == {"pending", "inactive"}


def test_alerts_go_off_when_they_should_and_only_then(tmp_path: Path) -> None:
    program = binary("promtool")
    if program is None:
        pytest.skip("no Prometheus is installed: run `make prometheus`")
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yml"), tmp_path)
    done = subprocess.run([program, "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
