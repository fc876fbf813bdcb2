"""Runs a probe through one cell of the translation matrix and says what became of the feature."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hermesllm.errors import InvalidRequest
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator

Json = dict[str, Any]
Mark = str | int | float
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outcome(StrEnum):
    """What becomes of a feature; the values are the words of the table."""

    PASSED = "passed"
    MAPPED = "mapped"
    PARTLY = "partly"
    LISTED = "listed"
    REFUSED = "refused"
    LEFT_OUT = "left out"
    LOST = "LOST"
    ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Target:
    """A provider and one of its models, spoken to in the format it has for a client."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    def format(self, client: Format) -> Format:
        return PROVIDERS[self.provider].upstream_format(client, self.model)

    def translator(self, client: Format) -> tuple[Translator, Context]:
        context = Context(PROVIDERS[self.provider], self.model)
        return translator(client, self.format(client), context), context


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A feature of requests.

    `request` are the members that the probe adds to the plain request, or puts in the place of its own, and `beside`
    those that the request it is compared with has too. `marks` are values that must arrive at the provider: as they
    are, or as part of a text. Without marks it counts that the provider's request is another. `piece` is the JSON value
    that is the feature, where that is less than whole members. Providers of the formats in `anyway` do unasked what the
    feature asks for.
    """

    name: str
    request: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    marks: tuple[Mark, ...] = ()
    piece: Any = None
    anyway: frozenset[Format] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A feature of answers: `answers` has one for each provider format that knows it, with `marks` inside.

    `words` are the marks where a client's format has its own word for it; a format in `nowhere` has no place for it.
    Clients of those in `left_out` do not get it from every provider, though they could.
    """

    name: str
    answers: Mapping[Format, Json]
    marks: tuple[Mark, ...] = ()
    words: Mapping[Format, tuple[Mark, ...]] = field(default_factory=dict)
    nowhere: frozenset[Format] = frozenset()
    left_out: frozenset[Format] = frozenset()

    def wanted(self, client: Format) -> tuple[Mark, ...]:
        return self.words.get(client, self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Something of an answer that the client sends back with its next request, and the provider must get again.

    Clients of the formats in `left_out` do not get it, and so cannot send it back.
    """

    name: str
    answers: Mapping[Format, Json]
    mark: str
    left_out: frozenset[Format] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The probes of one client format, and `follow`: the request after an answer, which it repeats as it came."""

    format: Format
    plain: Mapping[str, Any]
    asking: tuple[Asking, ...]
    follow: Callable[[Json, Json], Json]


def asked(client: Client, feature: Asking, target: Target) -> Outcome:
    """What becomes of a feature of requests."""
    plain = {**client.plain, **feature.beside}
    baseline, listed_anyway = _sent(client, plain, target)
    try:
        request, dropped = _sent(client, {**plain, **feature.request}, target)
    except InvalidRequest:
        return Outcome.REFUSED
    listed = [path for path in dropped if path not in listed_anyway]
    found = [mark for mark in feature.marks if contains(request, mark)]
    arrived = bool(found) if feature.marks else request != baseline
    whole = len(found) == len(feature.marks)
    if listed:
        return Outcome.PARTLY if arrived else Outcome.LISTED
    if not arrived and listed_anyway:  # with the whole that it belongs to
        return Outcome.LISTED
    if not arrived and target.format(client.format) in feature.anyway:
        return Outcome.MAPPED
    if not (arrived and whole):
        return Outcome.LOST
    return Outcome.PASSED if _unchanged(feature, request) else Outcome.MAPPED


def _sent(client: Client, body: Mapping[str, Any], target: Target) -> tuple[Json, list[str]]:
    cell, context = target.translator(client.format)
    return cell.request(deepcopy(dict(body))), context.dropped


def _unchanged(feature: Asking, request: Json) -> bool:
    if feature.piece is not None:
        return _holds(request, feature.piece)
    return all(request.get(name) == value for name, value in feature.request.items())


def answered(client: Client, feature: Answering, target: Target) -> Outcome:
    """What becomes of a feature of answers."""
    spoken = target.format(client.format)
    if spoken not in feature.answers:
        return Outcome.ABSENT
    found = answer_of(client, feature.answers[spoken], target)
    if all(contains(found, mark) for mark in feature.wanted(client.format)):
        return Outcome.PASSED if spoken is client.format else Outcome.MAPPED
    if client.format in feature.nowhere:
        return Outcome.ABSENT
    return Outcome.LEFT_OUT if client.format in feature.left_out else Outcome.LOST


def answer_of(client: Client, answer: Json, target: Target) -> Json:
    """The client's answer for a provider's answer to the plain request."""
    cell, _ = target.translator(client.format)
    cell.request(deepcopy(dict(client.plain)))
    return cell.response(deepcopy(answer))


def kept(client: Client, feature: Keeping, target: Target) -> Outcome:
    """What becomes of something that has to come back to the provider."""
    spoken = target.format(client.format)
    if spoken not in feature.answers:
        return Outcome.ABSENT
    plain = deepcopy(dict(client.plain))
    following = client.follow(plain, answer_of(client, feature.answers[spoken], target))
    request, dropped = _sent(client, following, target)
    if contains(request, feature.mark):
        return Outcome.PASSED if spoken is client.format else Outcome.MAPPED
    if dropped:
        return Outcome.LISTED
    return Outcome.LEFT_OUT if client.format in feature.left_out else Outcome.LOST


def contains(value: Any, mark: Mark) -> bool:
    """Whether a JSON value holds the mark: a number as it is, a text also as part of another."""
    if isinstance(value, dict):
        return any(contains(member, mark) for member in value.values())
    if isinstance(value, list):
        return any(contains(element, mark) for element in value)
    if isinstance(value, str):
        return isinstance(mark, str) and mark in value
    return not isinstance(value, bool) and value == mark


def _holds(value: Any, piece: Any) -> bool:
    if value == piece:
        return True
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(member, piece) for member in members)
