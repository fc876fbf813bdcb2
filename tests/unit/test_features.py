"""No feature that the documentation's tables list gets lost unsaid, and the tables' words are earned."""

import pytest

from docs.features.answers import ANSWERING, KEEPING
from docs.features.chat import CHAT
from docs.features.messages import MESSAGES
from docs.features.outcome import Answering, Asking, Client, Keeping, Outcome, Target, answered, asked, contains, kept
from docs.features.table import CLIENTS, sections
from docs.features.targets import COLUMNS, OTHERS
from hermesllm.formats import Format

TARGETS = {client.format: (*COLUMNS[client.format], *OTHERS[client.format]) for client in CLIENTS}
PAIRS = [
    pytest.param(client, target, id=f"{client.format}-{target}")
    for client in CLIENTS
    for target in TARGETS[client.format]
]
OPENAI, CLAUDE = Target("openai", "gpt-4o"), Target("anthropic", "claude-sonnet-4-5")
EXCEPTIONS = [
    pytest.param(feature, client, outcome, id=f"{feature.name}-{client.format}")
    for client in CLIENTS
    for feature in (*ANSWERING, *KEEPING)
    for outcome, formats in (
        (Outcome.LEFT_OUT, feature.left_out),
        (Outcome.ABSENT, feature.nowhere if isinstance(feature, Answering) else ()),
    )
    if client.format in formats
]


@pytest.mark.parametrize(("client", "target"), PAIRS)
def test_what_does_not_reach_the_other_side_is_listed_or_refused(client: Client, target: Target) -> None:
    lost = [name for rows in sections(client, target).values() for name, outcome in rows if outcome is Outcome.LOST]
    assert lost == []


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.format)
def test_each_column_is_a_provider_that_speaks_its_format(client: Client) -> None:
    spoken = [target.format(client.format) for target in COLUMNS[client.format]]
    assert spoken == [Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.CONVERSE, Format.GEMINI]


@pytest.mark.parametrize(("feature", "client", "outcome"), EXCEPTIONS)
def test_what_is_said_to_be_missing_in_answers_is_missing(
    feature: Answering | Keeping, client: Client, outcome: Outcome
) -> None:
    targets = [target for target in TARGETS[client.format] if target.format(client.format) in feature.answers]
    found = [
        answered(client, feature, target) if isinstance(feature, Answering) else kept(client, feature, target)
        for target in targets
    ]
    assert outcome in found


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.format)
def test_features_have_names_of_their_own(client: Client) -> None:
    for rows in sections(client, CLAUDE).values():
        names = [name for name, _ in rows]
        assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("client", "request_members", "marks", "target", "outcome"),
    [
        pytest.param(CHAT, {"seed": 4711}, (4711,), OPENAI, Outcome.PASSED, id="as it is"),
        pytest.param(CHAT, {"stop": ["END"]}, ("END",), CLAUDE, Outcome.MAPPED, id="under another name"),
        pytest.param(CHAT, {"stop": ["END"], "seed": 4711}, ("END", 4711), CLAUDE, Outcome.PARTLY, id="half listed"),
        pytest.param(CHAT, {"seed": 4711}, (4711,), CLAUDE, Outcome.LISTED, id="listed"),
        pytest.param(CHAT, {"n": 2}, (), CLAUDE, Outcome.REFUSED, id="refused"),
        pytest.param(CHAT, {"stop": ["END"]}, ("HALT",), CLAUDE, Outcome.LOST, id="something else arrived"),
        pytest.param(CHAT, {"stop": ["END"]}, ("END", "HALT"), CLAUDE, Outcome.LOST, id="not all arrived"),
        pytest.param(MESSAGES, {"max_tokens": 100}, (), OPENAI, Outcome.LOST, id="no difference"),
    ],
)
def test_an_outcome_is_what_became_of_the_request(
    client: Client, request_members: dict[str, object], marks: tuple[str | int, ...], target: Target, outcome: Outcome
) -> None:
    feature = Asking(name="a feature", request=request_members, marks=marks)
    assert asked(client, feature, target) is outcome


def test_an_answer_without_the_mark_is_lost() -> None:
    said = next(feature for feature in ANSWERING if feature.name == "text")
    unsaid = Answering(name="a feature", answers=said.answers, marks=("something else",))
    assert answered(CHAT, said, CLAUDE) is Outcome.MAPPED
    assert answered(CHAT, unsaid, CLAUDE) is Outcome.LOST


def test_what_does_not_come_back_is_lost() -> None:
    thought = next(feature for feature in KEEPING if feature.name == "signed or encrypted thinking")
    forgotten = Keeping(name="a feature", answers=thought.answers, mark="something else")
    assert kept(CHAT, thought, CLAUDE) is Outcome.MAPPED
    assert kept(CHAT, forgotten, CLAUDE) is Outcome.LOST


@pytest.mark.parametrize(
    ("value", "mark", "found"),
    [
        ({"a": [{"b": "data:x;base64,QUJD"}]}, "QUJD", True),
        ({"a": [3, 4]}, 4, True),
        ({"a": True}, 1, False),
        ({"a": "4711"}, 4711, False),
        ({"seed": None}, "seed", False),
    ],
)
def test_marks_are_looked_for_in_values(value: object, mark: str | int, found: bool) -> None:
    assert contains(value, mark) is found
