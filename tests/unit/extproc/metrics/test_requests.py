"""What finished requests are counted as."""

from collections.abc import Iterable
from typing import Any

import pytest

from extproc.accounting.observation import Observation
from extproc.metrics.requests import RequestMetrics
from hermesllm.formats import Format
from hermesllm.usage import Usage
from planoctl.config.pipeline import load_document

Samples = dict[tuple[str, ...], float]

CONFIG = load_document(
    {
        "version": "v0.4.0",
        "listeners": [
            {"type": "model", "name": "llm", "port": 1, "auth": {"keys": [{"name": "blue", "sha256": "a" * 64}]}}
        ],
        "model_providers": [
            {"model": "openai/gpt-4o", "access_key": "k", "default": True},
            {"model": "anthropic/claude", "access_key": "k"},
            {"model": "groq/*", "access_key": "k"},
        ],
    },
    environment={},
).runtime


def seen(**changes: Any) -> Observation:
    """A stream of 10 and 5 tokens that went well, but for `changes`."""
    usual: dict[str, Any] = {
        "request_id": "r",
        "client_format": Format.CHAT,
        "provider": "openai",
        "model": "gpt-4o",
        "attempts": 1,
        "status": 200,
        "stream": True,
        "started": 1.0,
        "duration": 2.0,
        "first_byte": 0.4,
        "ttft": 0.5,
        "usage": Usage(prompt=10, completion=5),
    }
    return Observation(**{**usual, **changes})


def counted(*observations: Observation) -> Samples:
    """All numbers by family and labels; of histograms the count."""
    metrics = RequestMetrics()
    metrics.configure(CONFIG)
    for observation in observations:
        metrics.observe(observation)
    return samples(metrics)


def samples(metrics: RequestMetrics) -> Samples:
    tally = metrics.tally.take()
    found = {(each.family, *each.labels): each.value for each in tally.counts}
    return found | {(each.family, *each.labels): sum(each.buckets) for each in tally.distributions}


def family(found: Samples, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (each, *rest), value in found.items() if each == name for labels in [tuple(rest)]}


UPSTREAM = "brightstaff_llm_upstream_requests_total"


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, ("2xx", "none")),
        ({"status": 429, "usage": None}, ("4xx", "none")),
        ({"status": 503, "flags": ("upstream_connection_failure",), "first_byte": None}, ("error", "connect")),
        ({"status": 503, "flags": ("no_healthy_upstream",), "first_byte": None}, ("error", "connect")),
        ({"status": 504, "flags": ("upstream_request_timeout",), "first_byte": None}, ("error", "timeout")),
        ({"flags": ("stream_idle_timeout",)}, ("2xx", "timeout")),
        ({"flags": ("upstream_connection_termination",)}, ("2xx", "stream")),
        ({"status": 502, "flags": ("upstream_remote_reset",), "first_byte": None}, ("error", "other")),
        ({"details": "plano_stream_abandoned"}, ("2xx", "parse")),
        ({"client_left": True, "flags": ("downstream_connection_termination",)}, ("2xx", "client_disconnect")),
        ({"client_left": True, "status": 0, "first_byte": None}, ("error", "client_disconnect")),
        ({"flags": ("rate_limited",)}, ("2xx", "none")),
        ({"status": 700}, ("other", "none")),
    ],
)
def test_an_attempt_is_counted_once_by_how_it_ended(changes: dict[str, Any], labels: tuple[str, str]) -> None:
    assert family(counted(seen(**changes)), UPSTREAM) == {("openai", "gpt-4o", *labels): 1}


def test_each_attempt_of_a_chain_counts_for_its_own_model() -> None:
    found = counted(seen(provider="anthropic", model="claude", chain=("openai/gpt-4o", "anthropic/claude"), attempts=2))
    assert family(found, UPSTREAM) == {
        ("openai", "gpt-4o", "error", "other"): 1,
        ("anthropic", "claude", "2xx", "none"): 1,
    }
    assert family(found, "plano_failovers_total") == {("openai", "gpt-4o"): 1}


UPSTREAM_TIMES = (
    "brightstaff_llm_upstream_duration_seconds",
    "brightstaff_llm_time_to_first_token_seconds",
    "gen_ai_server_time_to_first_token_seconds",
)
WHOLE_TIMES = ("extproc_request_duration_seconds", "extproc_time_to_first_token_seconds")


@pytest.mark.parametrize(
    ("changes", "upstream"),
    [
        ({"sent": 1.25, "attempts": 2}, [0.75, 0.25, 0.25]),
        ({"sent": 0.25}, [1.75, 1.25, 1.25]),
        ({"sent": 1.75, "attempts": 2}, [0.25, 0.0, 0.0]),
        ({"sent": None}, [2.0, 1.5, 1.5]),
        ({"sent": None, "attempts": 2}, [None, None, None]),
    ],
)
def test_a_provider_does_not_answer_for_the_time_of_those_before_it(
    changes: dict[str, Any], upstream: list[float | None]
) -> None:
    metrics = RequestMetrics()
    metrics.observe(seen(duration=2.0, ttft=1.5, **changes))
    sums = {each.family: each.sum for each in metrics.tally.take().distributions if sum(each.buckets)}
    assert [sums.get(name) for name in UPSTREAM_TIMES] == upstream
    assert [sums.get(name) for name in WHOLE_TIMES] == [2.0, 1.5]


def test_a_request_that_never_left_the_gateway_has_no_provider() -> None:
    found = counted(seen(provider="", model="", attempts=0, status=404, usage=None, ttft=None, first_byte=None))
    assert {name for name, *_ in found} == {"plano_requests_total", "extproc_request_duration_seconds"}
    assert found["plano_requests_total", "chat", "4xx", ""] == 1


def test_the_gateways_own_requests_are_no_requests_of_clients() -> None:
    found = counted(seen(internal=True))
    assert not family(found, "plano_requests_total")
    assert family(found, UPSTREAM)


def test_tokens_are_counted_with_and_without_the_cache() -> None:
    usage = Usage(prompt=100, completion=7, cache_read=60, cache_write=30)
    found = counted(seen(usage=usage, identity="blue"))
    assert family(found, "brightstaff_llm_tokens_total") == {
        ("openai", "gpt-4o", "prompt"): 100,
        ("openai", "gpt-4o", "completion"): 7,
        ("openai", "gpt-4o", "cache_read"): 60,
        ("openai", "gpt-4o", "cache_write"): 30,
    }
    assert family(found, "plano_tokens_total") == {
        ("openai", "gpt-4o", "blue", "input"): 10,
        ("openai", "gpt-4o", "blue", "output"): 7,
        ("openai", "gpt-4o", "blue", "cache_read"): 60,
        ("openai", "gpt-4o", "blue", "cache_write"): 30,
    }
    assert family(found, "brightstaff_prompt_cache_requests_total") == {("openai", "gpt-4o", "hit"): 1}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, 1),
        ({"client_left": True}, 0),
        ({"status": 500}, 0),
        ({"client_format": Format.COUNT_TOKENS}, 0),
    ],
)
def test_usage_is_missing_only_where_an_answer_should_have_had_it(changes: dict[str, Any], missing: int) -> None:
    found = counted(seen(usage=None, **changes))
    assert sum(family(found, "brightstaff_llm_tokens_usage_missing_total").values()) == missing


def test_whole_answers_have_no_first_token() -> None:
    found = counted(seen(stream=False))
    assert not [name for name, *_ in found if "first_token" in name or name.startswith("gen_ai_server")]


@pytest.mark.parametrize(
    ("seconds", "tokens", "per_token", "rate"),
    [(1.0, 10, 0.1, 10.0), (0.79, 982, 0.79 / 982, 982 / 0.79), (0.001, 1, 0.001, 1000.0), (0.0, 5, 0.0, None)],
)
def test_fast_answers_have_a_rate_too(seconds: float, tokens: int, per_token: float, rate: float | None) -> None:
    metrics = RequestMetrics()
    metrics.observe(seen(duration=seconds, usage=Usage(prompt=1, completion=tokens)))
    sums = {each.family: each.sum for each in metrics.tally.take().distributions}
    assert sums["extproc_time_per_output_token_seconds"] == pytest.approx(per_token)
    assert sums.get("extproc_output_tokens_per_second") == (None if rate is None else pytest.approx(rate))


def test_no_output_has_no_time_per_token() -> None:
    found = counted(seen(usage=Usage(prompt=10, completion=0)))
    assert not family(found, "extproc_time_per_output_token_seconds")
    assert family(found, "extproc_output_tokens")


def test_the_pause_between_tokens_begins_at_the_first() -> None:
    metrics = RequestMetrics()
    metrics.observe(seen(duration=2.0, ttft=0.5, usage=Usage(prompt=1, completion=4)))
    sums = {each.family: each.sum for each in metrics.tally.take().distributions}
    assert sums["gen_ai_server_time_per_output_token_seconds"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changes", "error"),
    [({}, ""), ({"status": 429}, "429"), ({"status": 477}, "_OTHER"), ({"client_left": True}, "client_disconnect")],
)
def test_operations_are_named_as_the_semantic_conventions_do(changes: dict[str, Any], error: str) -> None:
    found = counted(seen(provider="amazon_bedrock", model="gpt-4o", **changes))
    assert family(found, "gen_ai_client_operation_duration_seconds") == {("chat", "aws.bedrock", "gpt-4o", error): 1}


def test_identities_are_names_of_keys() -> None:
    found = counted(seen(identity="blue"), seen(identity="subject-of-a-token"), seen())
    names = {identity for _, _, identity in family(found, "plano_requests_total")}
    assert names == {"blue", "other", ""}
    assert found["plano_folded_labels_total", "identity"] == 1


def test_refusals_by_limits_name_the_model_that_they_were_for() -> None:
    metrics = RequestMetrics()
    metrics.configure(CONFIG)
    metrics.rate_limited("openai/gpt-4o", "blue")
    metrics.rate_limited("", "")
    assert family(samples(metrics), "plano_ratelimited_requests_total") == {
        ("openai", "gpt-4o", "blue"): 1,
        ("", "", ""): 1,
    }


def sent(names: Iterable[str], status: int) -> RequestMetrics:
    metrics = RequestMetrics()
    metrics.configure(CONFIG)
    for name in names:
        metrics.observe(seen(provider="groq", model=name, status=status, requested_model=name))
    return metrics


def test_names_that_no_provider_serves_become_no_labels() -> None:
    found = samples(sent((f"junk-{number}" for number in range(5000)), 404))
    assert {labels[1] for labels in family(found, UPSTREAM)} == {"other"}
    assert found["plano_folded_labels_total", "model"] == 5000


def test_of_names_that_are_served_there_are_at_most_200(caplog: pytest.LogCaptureFixture) -> None:
    metrics = sent((f"served-{number % 700}" for number in range(5000)), 200)
    found = samples(metrics)
    assert len({labels[1] for labels in family(found, UPSTREAM)}) == 201
    assert len(caplog.records) == 1
    assert sum(family(found, UPSTREAM).values()) == 5000
    before = len(metrics.tally._counters) + len(metrics.tally._histograms)
    for number in range(5000):
        metrics.observe(seen(provider="groq", model=f"more-{number}", requested_model=f"x{number}"))
    assert len(metrics.tally._counters) + len(metrics.tally._histograms) == before


def test_nothing_is_told_twice() -> None:
    metrics = sent(["llama"], 200)
    assert samples(metrics)
    assert samples(metrics) == {}


def test_values_on_a_bound_belong_below_it() -> None:
    metrics = RequestMetrics()
    metrics.observe(seen(duration=0.5))
    metrics.observe(seen(duration=0.500001))
    metrics.observe(seen(duration=1e9))
    buckets = next(
        each.buckets
        for each in metrics.tally.take().distributions
        if each.family == "brightstaff_llm_upstream_duration_seconds"
    )
    assert list(buckets) == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1]
