"""Adding up what workers have counted."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from brightstaff.metrics.merged import Merged
from hermesllm.prices import Rates
from plano_pb import routing_pb2 as pb
from planoctl.config.metric_labels import BoundedValues

REQUESTS, SECONDS = "plano_requests_total", "gen_ai_server_time_to_first_token_seconds"
RATES = Rates(2.0, 10.0, 1.0, None)


def merged(most: int = 200) -> Merged:
    prices = {("openai", "gpt-4o"): RATES}

    def priced(provider: str, model: str, tokens: dict[str, float]) -> float | None:
        rates = prices.get((provider, model))
        return None if rates is None else rates.usd(**tokens)

    return Merged(BoundedValues("model", lambda _label: None, most), priced)


def tally(number: int = 1, worker: str = "extproc-0", process: int = 7, **labels: float) -> pb.Tally:
    made = pb.Tally(worker=worker, process=process, number=number)
    made.counts.add(family=REQUESTS, labels=("chat", "2xx", ""), value=1)
    for model, tokens in labels.items():
        made.counts.add(family="plano_tokens_total", labels=("openai", model, "", "output"), value=tokens)
    return made


def value(shown: Merged, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(shown)
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels.items() >= labels.items():
                return sample.value
    return None


def test_workers_and_their_successors_add_up() -> None:
    shown = merged()
    shown.add(tally(1))
    shown.add(tally(2))
    shown.add(tally(1, worker="extproc-1"))
    shown.add(tally(1, process=8))
    assert value(shown, REQUESTS) == 4


def test_a_tally_that_comes_twice_counts_once() -> None:
    shown = merged()
    for number in (1, 1, 2, 1, 2):
        shown.add(tally(number))
    assert value(shown, REQUESTS) == 2


def test_spans_that_were_lost_are_counted_by_where() -> None:
    shown = merged()
    shown.expect([])
    assert [value(shown, "plano_spans_lost_total", stage=stage) for stage in ("sidecar", "export")] == [0, 0]
    made = pb.Tally(worker="extproc-0", process=7, number=1)
    made.counts.add(family="plano_spans_lost_total", labels=("sidecar",), value=3)
    shown.add(made)
    for spans in (4, 5):
        shown.count_lost_spans(spans)
    assert [value(shown, "plano_spans_lost_total", stage=stage) for stage in ("sidecar", "export")] == [3, 9]


def test_histograms_are_cumulative() -> None:
    shown = merged()
    for number in (1, 2):
        made = pb.Tally(worker="w", process=1, number=number)
        buckets = [1, *[0] * 14, 2, 3]
        made.distributions.add(family=SECONDS, labels=("chat", "openai", "m"), buckets=buckets, sum=1.5)
        shown.add(made)
    bucket = f"{SECONDS}_bucket"
    assert [value(shown, bucket, le=bound) for bound in ("0.001", "7.5", "10.0", "+Inf")] == [2, 2, 6, 12]
    assert (value(shown, f"{SECONDS}_count"), value(shown, f"{SECONDS}_sum")) == (12, 3.0)


def test_what_is_not_known_or_has_another_form_is_passed_over() -> None:
    shown = merged()
    made = pb.Tally(worker="w", process=1, number=1)
    made.counts.add(family="of_a_newer_worker_total", labels=("a",), value=1)
    made.counts.add(family=REQUESTS, labels=("chat",), value=1)
    made.distributions.add(family=SECONDS, labels=("chat", "openai", "m"), buckets=[1], sum=1)
    made.levels.add(family=REQUESTS, labels=("chat",), value=1)
    shown.add(made)
    assert value(shown, REQUESTS) is None
    assert value(shown, f"{SECONDS}_count") is None


def test_all_workers_together_show_a_bounded_number_of_models() -> None:
    shown = merged(most=2)
    for number in range(1, 6):
        shown.add(tally(number, **{f"model-{number}": 10.0}))
    assert value(shown, "plano_tokens_total", model="other") == 30
    assert value(shown, "plano_tokens_total", model="model-3") is None


def test_costs_rise_with_tokens_and_say_what_they_leave_out() -> None:
    shown = merged()
    shown.add(tally(1, **{"gpt-4o": 1_000_000.0, "unheard-of": 7.0}))
    assert value(shown, "plano_cost_usd_total", model="gpt-4o") == pytest.approx(10)
    shown.add(tally(2, **{"gpt-4o": 500_000.0}))
    assert value(shown, "plano_cost_usd_total", model="gpt-4o") == pytest.approx(15)
    assert value(shown, "plano_unpriced_tokens_total", model="unheard-of") == 7


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [
        ({}, 0),
        ({"input": 1_000_000}, 2),
        ({"cache_read": 1_000_000}, 1),
        ({"cache_write": 1_000_000}, 2),
        ({"input": 500_000, "output": 100_000, "cache_read": 1_000_000}, 3),
    ],
)
def test_each_kind_of_token_has_its_price(tokens: dict[str, float], cost: float) -> None:
    assert RATES.usd(**tokens) == pytest.approx(cost)


def test_gauges_are_those_of_workers_that_still_report(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = merged()
    now = 100.0
    monkeypatch.setattr("brightstaff.metrics.merged.time.monotonic", lambda: now)
    for worker in ("extproc-0", "extproc-1"):
        made = pb.Tally(worker=worker, process=1, number=1)
        made.levels.add(family="extproc_active_callouts", labels=(worker,), value=3)
        shown.add(made)
        now += 10
    assert value(shown, "extproc_active_callouts", worker="extproc-1") == 3
    assert value(shown, "extproc_active_callouts", worker="extproc-0") is None


def test_numbers_of_what_is_configured_begin_at_zero() -> None:
    shown = merged()
    shown.expect([("openai", "gpt-4o")])
    assert value(shown, "plano_failovers_total", provider="openai", model="gpt-4o") == 0
    assert value(shown, "extproc_access_log_faults_total") == 0


def test_workers_without_end_take_no_memory_without_end() -> None:
    shown = merged()
    for number in range(1000):
        shown.add(tally(1, worker=f"w-{number}"))
    assert len(shown._numbers) == len(shown._levels) == 256
