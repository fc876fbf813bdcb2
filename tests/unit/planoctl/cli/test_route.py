"""`planoctl route`, with the process that decides, the embedded router, and a routing model on a real socket."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from planoctl.cli import cli
from planoctl.cli.decisions import print_case
from planoctl.config.dry_run import Answer
from tests.unit.brightstaff.orchestrator.fake_model import FakeModel, completion, http_answer, running_fake_model

Route = Callable[..., Result]

KEY = "sk-do-not-show-1234567890"
WRITING = {"name": "writing", "description": "emails, letters and blog posts", "models": ["gpt-4o"]}
RECIPES = {
    "name": "recipes",
    "description": "cooking and baking recipes",
    "models": ["claude-sonnet-4-5", "house", "gpt-4o-mini"],
    "selection_policy": {"prefer": "cheapest"},
}
DOCUMENT: dict[str, Any] = {
    "version": "v0.4.0",
    "listeners": [{"name": "llm", "type": "model", "port": 12000}],
    "model_providers": [
        {"model": "openai/gpt-4o", "access_key": "$OPENAI_API_KEY", "default": True, "fallbacks": ["gpt-4o-mini"]},
        {"model": "openai/gpt-4o-mini", "access_key": "$OPENAI_API_KEY"},
        {"model": "openai/house", "access_key": "$OPENAI_API_KEY", "base_url": "http://127.0.0.1:9"},
        {"model": "anthropic/claude-sonnet-4-5", "access_key": "$OPENAI_API_KEY"},
    ],
    "routing_preferences": [WRITING, RECIPES],
}


@pytest.fixture
def route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Route:
    """Runs `planoctl route` in this process, in a folder with a configuration; temporary files are below it too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    write(DOCUMENT)

    def invoke(*arguments: str, stdin: str | bytes | None = None, key: str = KEY) -> Result:
        environment = {"OPENAI_API_KEY": key}
        return CliRunner().invoke(cli, ("route", *arguments), input=stdin, env=environment, prog_name="planoctl")

    return invoke


def write(document: dict[str, Any]) -> None:
    Path("plano_config.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def asking(url: str, model: str = "openai/house", **overrides: Any) -> dict[str, Any]:
    """The configuration with a routing model at `url`."""
    providers = [
        {**entry, "base_url": url} if entry["model"] == "openai/house" else entry
        for entry in DOCUMENT["model_providers"]
    ]
    return {**DOCUMENT, "model_providers": providers, "overrides": {"llm_routing_model": model, **overrides}}


@contextmanager
def routing_model(reply: bytes) -> Iterator[FakeModel]:
    """A routing model that answers while this thread waits for a process."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []
    done = asyncio.Event()

    async def serve() -> None:
        async with running_fake_model() as model:
            model.reply = reply
            found.append(model)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_decision_is_shown_with_scores_and_the_models_in_order(route: Route) -> None:
    done = route("a recipe for baking bread")
    assert done.exit_code == 0, done.output
    heading, scores, models = done.stdout.split("\n\n")
    assert heading.splitlines()[0].split(maxsplit=1) == ["decision", "recipes"]
    assert "embedded router" in heading
    assert heading.splitlines()[2].split(maxsplit=1) == ["models", "cheapest first"]
    rows = [line.split() for line in scores.splitlines()[1:]]
    assert rows[0][0] == "recipes"
    assert rows[0][1].startswith("█")
    values = [float(row[-1]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=0.02)
    assert "none of them" in scores
    assert [line.split()[1] for line in models.splitlines()[1:]] == [
        "openai/gpt-4o-mini",
        "anthropic/claude-sonnet-4-5",
        "openai/house",
    ]
    assert "price unknown, so last" in models.splitlines()[3]


def test_where_no_preference_fits_the_default_and_its_fallbacks_are_shown(route: Route) -> None:
    done = route("how tall is the highest mountain")
    assert done.exit_code == 0, done.output
    assert "no preference fits" in done.stdout
    assert "else the default" in done.stdout
    first, second = done.stdout.splitlines()[-2:]
    assert first.split()[:4] == ["1", "openai/gpt-4o", "default", "model"]
    assert second.split()[:3] == ["2", "openai/gpt-4o-mini", "fallback"]


def test_json_has_all_that_is_known(route: Route) -> None:
    (answer,) = lines(route("a recipe for baking bread", "--json"))
    assert (answer["outcome"], answer["route"], answer["router"]) == ("routed", "recipes", "embedded")
    assert (answer["order"], answer["prompt"]) == ("price", "a recipe for baking bread")
    assert set(answer["scores"]) == {"writing", "recipes"}
    assert answer["models"][0]["model"] == "openai/gpt-4o-mini"
    assert answer["models"][0]["input_price"] < answer["models"][1]["input_price"]
    assert answer["models"][2] == {
        "model": "openai/house", "source": "preference", "input_price": None, "output_price": None
    }  # fmt: skip
    assert "expected" not in answer


def test_fastest_without_measurements_is_as_declared_for_every_prompt(route: Route) -> None:
    write({**DOCUMENT, "routing_preferences": [{**RECIPES, "selection_policy": {"prefer": "fastest"}}]})
    Path("prompts.txt").write_text("a recipe for baking bread\n" * 4)
    answers = lines(route("--file", "prompts.txt", "--json"))
    assert {answer["order"] for answer in answers} == {"unmeasured"}
    assert {answer["models"][0]["model"] for answer in answers} == {"anthropic/claude-sonnet-4-5"}


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_the_prompt_may_come_from_standard_input(arguments: tuple[str, ...], route: Route) -> None:
    (answer,) = lines(route(*arguments, "--json", stdin="a recipe\nfor baking bread\n"))
    assert (answer["prompt"], answer["route"]) == ("a recipe for baking bread", "recipes")


def test_a_prompt_that_is_not_utf_8_is_decided_all_the_same(route: Route) -> None:
    (answer,) = lines(route("--json", stdin=b"a recipe for baking \xff\xfe bread"))
    assert answer["route"] == "recipes"


def test_many_prompts_are_a_table_with_accuracy_and_mistakes(route: Route) -> None:
    Path("cases.tsv").write_text(
        "recipes\ta recipe for baking bread\n\nwriting\tcooking recipes\nwriting\tbaking recipes\n"
        "none\thow tall is the highest mountain\na letter\n"
    )
    done = route("--file", "cases.tsv")
    assert done.exit_code == 0, done.output
    table, summary, mistakes = done.stdout.split("\n\n")
    marks = [line[0] for line in table.splitlines()[1:]]
    assert marks == ["✓", "✗", "✗", "✓", " "]
    assert table.splitlines()[1].rstrip().endswith("a recipe for baking bread")
    assert summary.startswith("5 prompts")
    assert summary.endswith("2 of 4 as expected (50 %)")
    assert [line.split() for line in mistakes.splitlines()[1:]] == [["writing", "recipes", "2"]]


def test_without_expectations_the_first_model_is_shown_and_nothing_is_judged(route: Route) -> None:
    done = route("--file", "-", stdin="a recipe for baking bread\na letter")
    assert done.exit_code == 0, done.output
    table, summary = done.stdout.split("\n\n")
    assert "openai/gpt-4o-mini" in table.splitlines()[1]
    assert "✓" not in done.stdout
    assert "expected" not in summary


@pytest.mark.parametrize(("limit", "exit_code"), [("51", 1), ("50", 0)])
def test_too_few_met_expectations_fail_the_command_where_that_is_wanted(
    limit: str, exit_code: int, route: Route
) -> None:
    Path("cases.tsv").write_text("recipes\ta recipe for baking bread\nwriting\tcooking recipes\n")
    assert route("--file", "cases.tsv", "--fail-under", limit).exit_code == exit_code


def test_conversations_come_from_a_file_of_json_lines(route: Route) -> None:
    turns = [
        {"role": "system", "content": "You bake bread."},
        {"role": "user", "content": [{"type": "text", "text": "a recipe for bread"}]},
        {"role": "assistant", "content": "Flour, water."},
        {"role": "user", "content": "Now write a letter to my landlord"},
    ]
    given: list[dict[str, Any]] = [
        {"messages": turns, "expected": "writing"},
        {"messages": turns[:1], "expected": None},
        {"prompt": "a recipe for bread"},
    ]
    Path("cases.jsonl").write_text("\n".join(map(json.dumps, given)))
    answers = lines(route("-f", "cases.jsonl", "--json"))
    assert [answer["route"] for answer in answers] == ["writing", None, "recipes"]
    assert [answer.get("as_expected") for answer in answers] == [True, True, None]
    assert answers[0]["prompt"] == "Now write a letter to my landlord"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "recipes\tbread\nbread\tbake\n", "a.tsv:2: 'bread' is no preference"),
        ("a.jsonl", '{"prompt": "bake"}\n{"prompt"', "a.jsonl:2: "),
        ("a.jsonl", '{"expected": "recipes"}', "a.jsonl:1: neither `prompt` nor `messages`"),
        ("a.txt", "\n  \n", "a.txt holds no prompts"),
    ],
)
def test_a_line_that_is_not_understood_is_named(name: str, text: str, message: str, route: Route) -> None:
    Path(name).write_text(text)
    done = route("--file", name)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "\n→ " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prompt", "--file", "-"), "exclude each other"),
        (("  ",), "the prompt is empty"),
        (("prompt", "--fail-under", "50"), "--fail-under needs --file"),
        (("--file", "-", "--fail-under", "50"), "needs expectations"),
        (("--file", "nowhere.txt"), "does not exist"),
    ],
)
def test_a_wrong_call_is_a_usage_error(arguments: tuple[str, ...], message: str, route: Route) -> None:
    done = route(*arguments, stdin="bread")
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_configuration_without_preferences_is_an_error_with_an_example_that_is_valid(route: Route) -> None:
    write({key: value for key, value in DOCUMENT.items() if key != "routing_preferences"})
    done = route("a recipe")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no routing_preferences" in done.stderr
    example = yaml.safe_load(done.stderr.split("\n\n")[1])
    write({**DOCUMENT, **example})
    assert route("a function in Python").exit_code == 0


def test_an_invalid_configuration_is_shown_as_everywhere(route: Route) -> None:
    done = route("a recipe", "--config", "nowhere.yaml")
    assert done.exit_code == 1
    assert "✗ Validation failed: 1 error" in done.stderr


def test_neither_files_nor_keys_are_left_behind(route: Route, tmp_path: Path) -> None:
    seen = [route("a recipe"), route("a recipe", "--json"), route("hello")]
    write(asking("http://127.0.0.1:9"))
    seen.append(route("a recipe"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not any(KEY in done.output for done in seen)


def test_a_routing_model_is_asked_at_its_provider_with_its_key(route: Route) -> None:
    with routing_model(completion('{"route": ["recipes"]}')) as model:
        write(asking(model.url))
        done = route("something with flour")
    assert done.exit_code == 0, done.output
    assert "recipes" in done.stdout.splitlines()[0]
    assert f"openai/house at {model.url}/v1/chat/completions" in done.stdout
    assert "SCORE" not in done.stdout
    assert model.targets == ["POST /v1/chat/completions HTTP/1.1"]
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "something with flour" in model.prompt


def test_a_routing_model_behind_a_path_and_another_host_name_is_asked_as_envoy_would(route: Route) -> None:
    with routing_model(completion('{"route": ["recipes"]}')) as model:
        document = asking(f"{model.url}/models/v1")
        house = next(entry for entry in document["model_providers"] if entry["model"] == "openai/house")
        house |= {"headers": {"x-team": "kitchen"}, "http_host": "router.example"}
        write(document)
        done = route("something with flour")
    assert done.exit_code == 0, done.output
    assert model.targets == ["POST /models/v1/chat/completions HTTP/1.1"]
    assert (model.headers[0]["x-team"], model.headers[0]["host"]) == ("kitchen", "router.example")


def test_answers_of_a_routing_model_keep_the_order_of_the_prompts(route: Route) -> None:
    with routing_model(completion('{"route": []}')) as model:
        write(asking(model.url))
        Path("prompts.txt").write_text("".join(f"prompt {number}\n" for number in range(20)))
        answers = lines(route("--file", "prompts.txt", "--json"))
    assert [answer["prompt"] for answer in answers] == [f"prompt {number}" for number in range(20)]
    assert {answer["outcome"] for answer in answers} == {"no-route"}
    assert len(model.bodies) == 20


@pytest.mark.parametrize(
    ("on_error", "then"),
    [("fallback", "else to openai/gpt-4o"), ("fail", "the client would get an error")],
)
def test_a_routing_model_that_cannot_be_reached_is_an_error(on_error: str, then: str, route: Route) -> None:
    write({**asking("http://127.0.0.1:9"), "routing": {"on_error": on_error}})
    done = route("a recipe")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "✗ no decision: the routing model cannot be reached" in done.stderr
    assert "openai/house at http://127.0.0.1:9/v1/chat/completions" in done.stderr
    assert then in done.stderr
    assert "→ start the routing model" in done.stderr


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (http_answer(b'{"error": {"message": "no such key"}}', "401 Unauthorized"), "401: no such key"),
        (completion("I would rather not say"), "Orchestrator model error"),
    ],
)
def test_failures_of_the_routing_model_are_told_with_their_reason(reply: bytes, reason: str, route: Route) -> None:
    with routing_model(reply) as model:
        write(asking(model.url))
        single = route("a recipe")
        shown = route("a recipe", "--json")
        many = route("--file", "-", stdin="recipes\ta recipe\nwriting\ta letter\n")
    assert [done.exit_code for done in (single, shown, many)] == [1, 1, 1]
    assert reason in single.stderr
    assert lines(shown)[0]["outcome"] == "failed"
    assert many.stdout.count(reason) == 1
    assert "0 of 2 as expected" in many.stdout


def test_a_routing_model_with_an_api_of_its_own_needs_a_gateway(route: Route) -> None:
    write(asking("http://127.0.0.1:9", model="anthropic/claude-sonnet-4-5"))
    done = route("a recipe")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be asked without a gateway" in done.stderr
    assert "/routing/v1/chat/completions" in done.stderr


def test_a_dry_run_that_cannot_begin_says_why(route: Route) -> None:
    write(asking("https://127.0.0.1:9", upstream_tls_ca_path="/nowhere/ca.pem"))
    done = route("a recipe")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_embedded_router_without_vectors_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    print_case(Answer("no-route", "embedded", "words", 0.1))
    assert "words only (planoctl[router] does more)" in capsys.readouterr().out


def test_a_catalogue_of_prices_that_cannot_be_fetched_is_a_warning(route: Route) -> None:
    source = {"type": "cost", "provider": "models.dev", "url": "http://127.0.0.1:9/api.json"}
    write({**DOCUMENT, "model_metrics_sources": [source]})
    done = route("a recipe for baking bread")
    assert done.exit_code == 0
    assert "⚠ cannot fetch http://127.0.0.1:9/api.json" in done.stderr
    assert done.stdout.count("price unknown") == 3
