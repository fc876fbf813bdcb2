"""Several candidates for one request: the listener stage names them, Envoy asks one after the other.

The upstream stage, which makes each attempt's request, may run in another worker. All it knows is the chain's text in
dynamic metadata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from extproc.credentials import CLIENT_CREDENTIALS
from extproc.exchange import Exchange
from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from planoctl.config.headers import CHAIN_CLUSTER_SUFFIX, FIRST_CLUSTER_SUFFIX, STREAM_CLUSTER_SUFFIX
from planoctl.config.registry import Candidate, ModelRegistry

CARRIED_BYTES = 128 * 1024
"""Up to here the client's body travels with the chain's text, and the first attempt's request is made at once."""

LONGEST = 8
"""Candidates that one request is tried with at most."""

# What the client sent under these names must be known to each attempt: an earlier one may have overwritten it.
_REMEMBERED = (*CLIENT_CREDENTIALS, "anthropic-version", "anthropic-beta")


@dataclass(frozen=True, slots=True)
class Chain:
    """The exchanges of a request, in the order of its attempts."""

    exchanges: tuple[Exchange, ...]

    def clusters(self, *, stream: bool, prepared: bool) -> tuple[str, ...]:
        """The cluster of each attempt; `prepared`: the first one's request is made already."""
        suffix = STREAM_CLUSTER_SUFFIX if stream else CHAIN_CLUSTER_SUFFIX
        first, *others = (exchange.cluster for exchange in self.exchanges)
        return (first + (FIRST_CLUSTER_SUFFIX if prepared else suffix), *(other + suffix for other in others))

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(exchange.candidate.name for exchange in self.exchanges)

    def attempt(self, count: int) -> Exchange:
        """The exchange of the `count`-th attempt, counted from 1."""
        return self.exchanges[min(max(count, 1), len(self.exchanges)) - 1]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a chain, as the upstream stage has to make it. `body`: the client's, None where Envoy has it.

    `headers` are those of the client that matter, `own` the names that candidates of the chain may have set.
    """

    client: Format
    candidate: Candidate
    headers: dict[str, str]
    own: frozenset[str]
    body: bytes | None


def possible(exchanges: Sequence[Exchange], headers: Mapping[str, str], document: dict[str, Any]) -> list[Exchange]:
    """The exchanges whose candidates can serve the request at all.

    An attempt that found out only later could not hand over to the next: an answer made inside an upstream filter ends
    the chain. Raises the first refusal if nothing is left.
    """
    refusal: GatewayError | None = None
    able: list[Exchange] = []
    for exchange in exchanges:
        try:
            exchange.rehearse(headers, document)
        except GatewayError as error:
            refusal = refusal or error
        else:
            able.append(exchange)
    if not able and refusal is not None:
        raise refusal
    return able


def describe(chain: Chain, client: Format, headers: Mapping[str, str], body: bytes | None = None) -> str:
    """The chain's text for the upstream stage, with the client's body where Envoy will not have it any more."""
    remembered = {name: headers[name] for name in (":path", "x-request-id", *_REMEMBERED) if name in headers}
    text = {"format": client, "models": chain.models, "headers": remembered}
    if body is not None:
        text["body"] = body.decode()
    return orjson.dumps(text).decode()


def attempt(text: str, count: int, registry: ModelRegistry) -> Attempt | None:
    """The `count`-th attempt of a described chain; None if a newer configuration has no such candidate."""
    chain = orjson.loads(text)
    models: list[str] = chain["models"]
    candidates = [registry.resolve(name) for name in models]
    candidate = candidates[min(max(count, 1), len(candidates)) - 1]
    if candidate is None:
        return None
    own = {name.lower() for each in candidates if each is not None for name in each.entry.headers}
    body = chain.get("body")
    return Attempt(
        client=Format(chain["format"]),
        candidate=candidate,
        headers=chain["headers"],
        own=frozenset(own.union(_REMEMBERED)),
        body=None if body is None else body.encode(),
    )
