"""The tables of docs/translation.md: features of requests, of answers, and what comes back with the next request."""

from collections.abc import Iterator

from docs.features.answers import ANSWERING, KEEPING
from docs.features.chat import CHAT
from docs.features.messages import MESSAGES
from docs.features.outcome import Client, Outcome, Target, answered, asked, kept
from docs.features.responses import RESPONSES
from docs.features.targets import COLUMNS, OTHERS

CLIENTS = (CHAT, MESSAGES, RESPONSES)
_TITLES = {
    CHAT.format: "Chat Completions",
    MESSAGES.format: "Anthropic Messages",
    RESPONSES.format: "OpenAI Responses",
}
_HEADS = "Chat Completions", "Anthropic Messages", "OpenAI Responses", "Bedrock Converse", "Gemini"

Row = tuple[str, Outcome]


def sections(client: Client, target: Target) -> dict[str, list[Row]]:
    """Every feature with its outcome at one target, by the heading it stands under."""
    return {
        "In requests": [(feature.name, asked(client, feature, target)) for feature in client.asking],
        "In answers": [(feature.name, answered(client, feature, target)) for feature in ANSWERING],
        "Sent back with the next request": [(feature.name, kept(client, feature, target)) for feature in KEEPING],
    }


def features() -> str:
    """The tables of all client formats as Markdown."""
    return "\n\n".join("\n".join(_client(client)) for client in CLIENTS)


def _client(client: Client) -> Iterator[str]:
    targets = COLUMNS[client.format]
    yield f"### {_TITLES[client.format]} client"
    yield ""
    yield f"Tried with {', '.join(f'`{target}`' for target in targets)}; `*`: see below the table."
    yield ""
    yield f"| | {' | '.join(_HEADS)} |"
    yield "|---" * (len(targets) + 1) + "|"
    columns = [sections(client, target) for target in targets]
    differing = {other: _differences(client, other) for other in OTHERS[client.format]}
    starred = {
        (other.format(client.format), section, name) for other, rows in differing.items() for section, name, _ in rows
    }
    for section in columns[0]:
        yield f"| **{section}** |" + " |" * len(targets)
        for (name, _), *cells in zip(columns[0][section], *(column[section] for column in columns), strict=True):
            outcomes = [outcome for _, outcome in cells]
            if set(outcomes) != {Outcome.ABSENT}:
                marks = ["*" * ((target.format(client.format), section, name) in starred) for target in targets]
                words = [f"{outcome}{mark}" for outcome, mark in zip(outcomes, marks, strict=True)]
                yield f"| {name} | {' | '.join(words)} |"
    yield ""
    yield from (f"- `{other}`: {_told(rows)}" for other, rows in differing.items() if rows)


def _differences(client: Client, other: Target) -> list[tuple[str, str, Outcome]]:
    """Section, feature and outcome wherever a target differs from the column of its format."""
    column = next(
        target for target in COLUMNS[client.format] if target.format(client.format) is other.format(client.format)
    )
    usual, found = sections(client, column), sections(client, other)
    return [
        (section, name, outcome)
        for section, rows in found.items()
        for (name, outcome), (_, expected) in zip(rows, usual[section], strict=True)
        if outcome is not expected
    ]


def _told(rows: list[tuple[str, str, Outcome]]) -> str:
    parts = []
    for outcome in dict.fromkeys(outcome for _, _, outcome in rows):
        names = [name for _, name, found in rows if found is outcome]
        parts.append(f"**{outcome}** {', '.join(names)}")
    return "; ".join(parts)
