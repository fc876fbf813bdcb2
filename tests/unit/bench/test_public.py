"""The comparison of gateways: what is made of rounds, and how it is shown."""

from typing import Any
from xml.etree import ElementTree

import pytest

from hermesllm.tokenizer import estimate_tokens
from tests.bench.long_prompt import conversation
from tests.bench.public import charts, markdown
from tests.bench.public.gateways import BARE, LITELLM, PLANO, running
from tests.bench.public.measurements import MEASUREMENTS, PROMPT_TOKENS, SAME_STREAM, TRANSLATED_UNARY, Load
from tests.bench.public.results import Results

SVG = "{http://www.w3.org/2000/svg}"


def one_round(**figures: Any) -> dict[str, Any]:
    names = [f"{name}{part}_ms" for name in ("p", "ttft", "gap") for part in (50, 99)]
    whole = {"requests": 10, "rps": 10.0, "events_per_s": 0.0, "errors": 0, **dict.fromkeys(names, 1.0)}
    return whole | {"gateway_cores": 0.5, "resident_mb": 100.0, "other_cores": 0.0} | figures


def results(rounds: dict[tuple[str, Load, str], list[dict[str, Any]]]) -> Results:
    entries = [
        {"case": case, "load": load, "gateway": gateway, "rounds": of_one}
        for (case, load, gateway), of_one in rounds.items()
    ]
    names = dict.fromkeys(gateway for _, _, gateway in rounds)
    settings = {"rounds": 3, "seconds": 4.0, "workers": 1, "events": 50, "gap_us": 5000}
    settings["closed_connections"] = {case: 64 for case, _, _ in rounds}
    settings["open_rates"] = {case: 10.0 for case, _, _ in rounds}
    return Results(
        {
            "machine": {"cpu": "A processor", "cores": "2"},
            "settings": settings,
            "gateways": {name: {"version": "1", "idle_mb": 50.0} for name in names},
            "measurements": entries,
        }
    )


def compared(plano: dict[str, Any], litellm: dict[str, Any], *, case: str = TRANSLATED_UNARY) -> Results:
    """One round of each load, the same for all loads; the bare Envoy takes a millisecond for everything."""
    rounds = {BARE: one_round(), PLANO: one_round(**plano), LITELLM: one_round(**litellm)}
    return results({(case, load, name): [one] for load in Load for name, one in rounds.items()})


def test_figures_are_medians_of_the_rounds() -> None:
    rounds = [one_round(rps=value, p50_ms=value) for value in (10.0, 500.0, 30.0)]
    found = results({(TRANSLATED_UNARY, Load.CLOSED, PLANO): rounds})
    assert found.throughput(TRANSLATED_UNARY, PLANO) == 30
    assert found.median(TRANSLATED_UNARY, Load.CLOSED, PLANO, "p50_ms") == 30


def test_added_latency_is_counted_to_the_first_event_of_a_stream() -> None:
    stream = {"p50_ms": 250.0, "ttft50_ms": 3.0, "events_per_s": 100.0}
    bare = one_round(p50_ms=240.0, ttft50_ms=1.0, events_per_s=100.0)
    case = SAME_STREAM
    found = results({(case, Load.ONE, BARE): [bare], (case, Load.ONE, PLANO): [one_round(**stream)]})
    assert found.added(case, Load.ONE, PLANO, "50") == 2


def test_a_gateway_that_answered_nothing_has_no_latency() -> None:
    found = compared({"p50_ms": 2.0}, {"requests": 0, "rps": 0.0, "p50_ms": 0.0})
    assert found.added(TRANSLATED_UNARY, Load.ONE, LITELLM, "50") is None
    assert [aim.met for aim in found.aims() if aim.at_most and "translated" in aim.text] == [None, None]


def test_aims_are_judged_by_what_was_measured() -> None:
    found = compared({"rps": 190.0, "p50_ms": 1.5}, {"rps": 10.0, "p50_ms": 6.0})
    met = {aim.text: aim.met for aim in found.aims()}
    assert met["requests/s, translated unary"] is False
    assert met["added p50, one at a time, unary, translated"] is True
    assert "| 19 ×     | **no**" in markdown.page(found)


def test_requests_per_core_are_those_of_the_closed_loop() -> None:
    assert compared({"rps": 190.0}, {}).per_core(TRANSLATED_UNARY, PLANO) == 380


def test_a_gateway_that_does_not_keep_up_with_the_open_loop_is_named() -> None:
    found = compared({"rps": 10.0}, {"rps": 9.0})
    assert "LiteLLM (fell behind)" in markdown.page(found)
    assert "Plano (fell behind)" not in markdown.page(found)


def test_a_run_without_litellm_has_no_aims() -> None:
    found = results({(TRANSLATED_UNARY, load, name): [one_round()] for load in Load for name in (BARE, PLANO)})
    assert found.aims() == []
    assert "Plano to LiteLLM" not in markdown.page(found)


def test_a_gateway_without_known_processes_has_neither_work_per_core_nor_memory() -> None:
    unknown = {name: value for name, value in one_round().items() if name not in ("gateway_cores", "resident_mb")}
    found = results({(TRANSLATED_UNARY, Load.CLOSED, "Other"): [unknown]})
    assert found.per_core(TRANSLATED_UNARY, "Other") is None
    assert found.resident_mb("Other") is None


def test_bars_are_as_long_as_their_values() -> None:
    picture = ElementTree.fromstring(charts.pictures(compared({"rps": 200.0}, {"rps": 50.0}))["throughput.svg"])
    ours, theirs = [float(bar.attrib["width"]) for bar in picture.findall(f"{SVG}rect")[1:]]
    assert ours == pytest.approx(4 * theirs, rel=0.01)
    assert {"200 requests/s", "50.0 requests/s"} <= {text.text for text in picture.findall(f"{SVG}text")}


def test_what_was_not_measured_is_a_dash_without_a_bar() -> None:
    picture = ElementTree.fromstring(
        charts.pictures(compared({"p50_ms": 2.0, "p99_ms": 3.0}, {"requests": 0}))["latency.svg"]
    )
    assert [text.text for text in picture.findall(f"{SVG}text")].count("–") == 2
    assert [bar.attrib["width"] for bar in picture.findall(f"{SVG}rect")].count("0.0") == 2


def test_the_long_prompt_is_as_long_as_it_is_called() -> None:
    messages = conversation(PROMPT_TOKENS)
    assert sum(estimate_tokens(message["content"]) for message in messages) == pytest.approx(PROMPT_TOKENS, rel=0.02)
    assert (messages[0]["role"], messages[-1]["role"]) == ("user", "user")
    body = next(each.case for each in MEASUREMENTS if each.case.prompt_tokens).body("gpt-4o")
    assert body["messages"][1:] == messages


def test_a_gateway_by_url_keeps_its_path() -> None:
    gateway = running("Mine", "http://localhost:8080/llm/", models={"openai": "a"}, key="k", headers=("x-a: b",))
    assert (gateway.address, gateway.prefix, gateway.headers) == ("127.0.0.1:8080", "/llm", ("x-a: b",))


def test_a_gateway_by_url_that_the_load_client_cannot_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        running("Mine", "https://gateway.example", models={}, key="k")
