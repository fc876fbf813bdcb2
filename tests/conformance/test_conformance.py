"""Every case of the kit through one real gateway: Envoy, sidecar workers, brightstaff."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.case import load_cases
from tests.conformance.plano_config import KEY, KEY_VARIABLE, plano_config
from tests.conformance.report import faults
from tests.conformance.runner import Settings, run_cases
from tests.integration.gateway import free_port, running_gateway

_CASES = load_cases()
_PAIRS = sorted({case.pair for case in _CASES})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    port = free_port()
    config = plano_config(_CASES, port)
    with running_gateway(tmp_path_factory.mktemp("conformance"), config, {KEY_VARIABLE: KEY}, workers=2) as gateway:
        yield Settings(gateway_url=gateway.url, provider_port=port)


@pytest.mark.parametrize("pair", _PAIRS)
async def test_pair(settings: Settings, pair: str) -> None:
    results = await run_cases([case for case in _CASES if case.pair == pair], settings)
    failed = list(faults(results))
    assert not failed, "\n".join(failed)


async def test_the_kit_also_runs_one_request_at_a_time(settings: Settings) -> None:
    """For gateways that do not pass its header on."""
    cases = [next(case for case in _CASES if case.pair == pair) for pair in _PAIRS]
    results = await run_cases(cases, replace(settings, serial=True))
    assert not list(faults(results))


async def test_a_providers_path_may_begin_like_one_of_the_gateways_own(tmp_path: Path) -> None:
    """`/v1/models/…` is Gemini's path behind a base_url that ends in /v1, and the gateway's list of models."""
    (listed,) = load_cases(only="chat-gemini/text")
    case = replace(listed, upstream_path="/v1/models/gemini-2.5-flash:generateContent")
    port = free_port()
    config = plano_config([case], port)
    config["model_providers"][0]["base_url"] = f"http://127.0.0.1:{port}/v1"
    with running_gateway(tmp_path, config, {KEY_VARIABLE: KEY}) as gateway:
        results = await run_cases([case], Settings(gateway_url=gateway.url, provider_port=port))
    assert not list(faults(results))
