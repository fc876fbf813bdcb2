"""`planoctl trace` against a collector that holds known traces (spec 02 §9.6)."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planoctl.cli import cli
from planoctl.port_check import free_port
from tests.unit.planoctl.traces.conftest import Running
from tests.unit.planoctl.traces.sample import (
    FAILURE,
    FIRST,
    LIMITED,
    SECOND,
    SUCCESS,
    UNAVAILABLE,
    UNHEALTHY,
    Made,
    export,
)

Run = Callable[..., Result]


@pytest.fixture
def run(collector: Running) -> Run:
    def invoke(*arguments: str) -> Result:
        environment = {"PLANO_TRACE_PORT": str(collector.port), "NO_COLOR": "1"}
        return CliRunner().invoke(cli, ["trace", *arguments], env=environment, prog_name="planoctl")

    return invoke


@pytest.fixture
def success(run: Run, collector: Running) -> Run:
    """Commands that see two traces that went well; the one that was sent last is the newest: SECOND."""
    collector.send(export(*SUCCESS))
    return run


@pytest.fixture
def failure(run: Run, collector: Running) -> Run:
    """Commands that see three traces that failed."""
    collector.send(export(*reversed(FAILURE)))
    return run


def ids(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [trace["trace_id"] for trace in json.loads(done.stdout)["traces"]]


def spans(done: Result) -> list[dict[str, Any]]:
    return [span for trace in json.loads(done.stdout)["traces"] for span in trace["spans"]]


def keys(done: Result) -> set[str]:
    return {attribute["key"] for span in spans(done) for attribute in span["attributes"]}


def test_without_a_target_the_newest_trace_is_drawn(success: Run) -> None:
    done = success()
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Trace: {SECOND} (1,840ms total, 10 spans)\n")
    assert FIRST not in done.stdout
    assert "service.name.override" not in done.stdout
    assert "upstream_cluster" not in done.stdout
    assert "└─ 917.0ms plano(outbound) POST /v1/chat/completions api.openai.com" in done.stdout


def test_verbose_shows_what_is_left_out_otherwise(success: Run) -> None:
    shown = success("last", "--verbose").stdout
    assert "service.name.override: plano(orchestrator)" in shown
    assert "upstream_cluster: openai" in shown


def test_a_list_that_is_not_interactive_prints_short_ids(success: Run) -> None:
    expected = f"Trace IDs:\n- {SECOND[:8]}\n- {FIRST[:8]}\n"
    assert success("--list", "--no-interactive", "any").stdout == expected
    assert success("--list").stdout == expected


def test_a_list_in_json_has_whole_ids(success: Run) -> None:
    assert json.loads(success("--list", "any", "--json", "--limit", "1").stdout) == {"trace_ids": [SECOND]}


@pytest.mark.parametrize("target", [FIRST, FIRST.upper(), FIRST[:8], FIRST[:8].upper()])
def test_an_id_selects_its_trace(target: str, success: Run) -> None:
    assert ids(success(target, "--json")) == [FIRST]
    assert ids(success("query", target, "--json")) == [FIRST]


def test_a_word_that_limits_or_lists_means_all_traces(success: Run) -> None:
    assert ids(success("any", "--json")) == [SECOND, FIRST]
    assert ids(success("--limit", "2", "--json")) == [SECOND, FIRST]
    assert ids(success("--limit", "0", "--json")) == [SECOND]
    assert ids(success("--json")) == [SECOND]
    assert ids(success("any", "--json", "--limit", "1")) == [SECOND]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["abc"], "Trace ID must be 8 or 32 hex characters."),
        (["00000000"], "Short trace ID must be 8 hex characters."),
        (["xxxxxxxx"], "Short trace ID must be 8 hex characters."),
        (["0" * 32], "Trace ID must be 32 hex characters."),
        (["x" * 32], "Trace ID must be 32 hex characters."),
        (["--json", "listen"], "Trace ID must be 8 or 32 hex characters."),
        (["--list", FIRST[:8]], "Target and --list cannot be used together."),
        (["any", "--limit", "-1"], "Limit must be greater than or equal to 0."),
        (["any", "--filter", "http.method,"], "Filter contains empty tokens."),
        (["any", "--where", "bad-format"], "Invalid --where filter(s): bad-format. Use key=value."),
        (["any", "--where", "=x"], "Invalid --where filter(s): =x. Use key=value."),
        (["any", "--where", "not.a.real.key=value"], "Unknown --where key(s): not.a.real.key"),
        (["any", "--since", "5"], "Invalid --since '5'. Use a number and a unit: 30s, 5m, 2h or 1d."),
        (["any", "--since", "-5m"], "Invalid --since '-5m'. Use a number and a unit: 30s, 5m, 2h or 1d."),
        (["any", "--since", "0s"], "Invalid --since '0s'. Use a number and a unit: 30s, 5m, 2h or 1d."),
        (["1234abcd"], "There is no trace 1234abcd."),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error(arguments: list[str], message: str, success: Run) -> None:
    done = success(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"✗ {message}\n" in done.stderr


def test_where_selects_traces_that_fulfil_every_condition(success: Run) -> None:
    weather = ["any", "--where", "agent_id=weather_agent"]
    assert ids(success(*weather, "--json")) == [SECOND, FIRST]
    assert ids(success(*weather, "--where", "llm.is_streaming=true", "--json")) == [SECOND, FIRST]
    assert ids(success(*weather, "--where", "http.status_code=500", "--json")) == []
    assert success(*weather, "--where", "http.status_code=500").stdout == "No traces found.\n"


def test_where_reads_the_resource_and_takes_values_with_an_equals_sign(run: Run, collector: Running) -> None:
    collector.send(export(Made(FIRST, "1", attributes={"query": "a=b"}), Made(SECOND, "2", service="other")))
    assert ids(run("any", "--where", "query=a=b", "--json")) == [FIRST]
    assert ids(run("any", "--where", "service.name=other", "--json")) == [SECOND]


def test_a_filter_leaves_only_matching_attributes(success: Run) -> None:
    done = success("any", "--filter", "http.*", "--json")
    assert ids(done) == [SECOND, FIRST]
    assert keys(done) == {"http.method", "http.target", "http.status_code"}
    assert keys(success("any", "--filter", "h*.m*d,agent_id", "--filter", "llm.model", "--json")) == {
        "http.method",
        "agent_id",
        "llm.model",
    }


def test_a_filtered_attribute_is_drawn_where_it_would_be_left_out(success: Run) -> None:
    shown = success("--filter", "upstream_cluster").stdout
    assert "upstream_cluster: openai" in shown
    assert "http.method" not in shown


def test_filters_do_not_hide_what_where_looks_for(success: Run) -> None:
    assert ids(success("any", "--filter", "http.*", "--where", "agent_id=weather_agent", "--json")) == [SECOND, FIRST]


def test_a_filter_that_matches_nothing_is_said_and_left_out(success: Run) -> None:
    done = success("any", "--filter", "not-found-*", "--json")
    assert "Filter key(s) not found: not-found-*. Returning unfiltered traces." in done.stderr
    assert ids(done) == [SECOND, FIRST]
    assert "llm.model" in keys(done)
    both = success("any", "--filter", "not-found-*,llm.model", "--json")
    assert "Filter key(s) not found: not-found-*.\n" in both.stderr
    assert keys(both) == {"llm.model"}


def test_brackets_and_question_marks_in_a_filter_are_themselves(run: Run, collector: Running) -> None:
    collector.send(export(Made(FIRST, "1", attributes={"a?[0]": 1, "ab0": 2, "aXbXb": 3})))
    assert keys(run("--filter", "a?[0]", "--json")) == {"a?[0]"}
    assert keys(run("--filter", "a*b", "--json")) == {"aXbXb"}


def test_since_looks_at_when_spans_began(success: Run, collector: Running) -> None:
    assert ids(success("any", "--since", "1m", "--json")) == []
    collector.send(export(Made(UNAVAILABLE, "1"), began=time.time_ns()))
    assert ids(success("--since", "1m", "--json")) == [UNAVAILABLE]
    assert ids(success("any", "--since", "1h", "--json")) == [UNAVAILABLE]


def test_with_nothing_collected_there_are_no_traces(run: Run) -> None:
    assert (run().exit_code, run().stdout) == (0, "No traces found.\n")
    assert run("--list").stdout == "No trace IDs found.\n"
    assert run("--json").stdout == '{\n  "traces": []\n}\n'
    assert run("any", "--where", "some.key=1").stdout == "No traces found.\n"


def test_failures_are_in_the_order_of_the_collector(failure: Run) -> None:
    assert ids(failure("any", "--json")) == [UNAVAILABLE, LIMITED, UNHEALTHY]


@pytest.mark.parametrize(("status", "trace"), [(503, UNAVAILABLE), (429, LIMITED), (500, UNHEALTHY)])
def test_a_status_finds_the_failure(status: int, trace: str, failure: Run) -> None:
    assert ids(failure("any", "--where", f"http.status_code={status}", "--json")) == [trace]


def test_a_failure_is_drawn_with_its_reason(failure: Run) -> None:
    shown = failure().stdout
    assert "✗ 503 Service Unavailable" in shown
    assert "http.status_code: 503 💥" in shown
    assert "✗ 429 Too Many Requests" in failure(LIMITED[:8]).stdout


def test_one_filter_leaves_one_attribute_of_a_failure(failure: Run) -> None:
    assert keys(failure("any", "--filter", "http.status_code", "--json")) == {"http.status_code"}


def test_without_a_collector_the_command_fails_and_says_how_to_start_one() -> None:
    port = free_port()
    done = CliRunner().invoke(cli, ["trace", "--port", str(port), "--json"], prog_name="planoctl")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"✗ No trace listener is running on 127.0.0.1:{port}" in done.stderr
    assert "→ start one: `planoctl trace listen`" in done.stderr


def test_options_of_listen_and_query_are_kept_apart(run: Run) -> None:
    assert run("listen", "--json").exit_code == 2
    assert run("stop", "--list").exit_code == 2
    for command in ("listen", "stop", "query"):
        assert f"Usage: planoctl trace {command}" in run(command, "--help").output
