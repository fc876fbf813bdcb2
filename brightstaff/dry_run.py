"""`python -m brightstaff.dry_run`: decisions about texts, without a gateway; `planoctl route` shows them.

Standard input and output are JSON lines (planoctl.config.dry_run). A routing model is asked directly at its provider.
"""

import argparse
import asyncio
import logging
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from brightstaff.affinity import MemoryStore
from brightstaff.embedded import EmbeddedRouter
from brightstaff.embedded.router import best_space
from brightstaff.embedded.vectors import VectorSpace
from brightstaff.orchestrator.client import OrchestratorRouter, RoutingModel
from brightstaff.ranking import Ranking
from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.routing.types import Router, RoutingFailed, Turn
from hermesllm.conversation import ROUTING_TURNS, conversation
from hermesllm.formats import Format
from hermesllm.providers import Auth
from planoctl.config.dry_run import NEEDS_GATEWAY, Answer, Order, Prompt, Source, Step
from planoctl.config.findings import ConfigError
from planoctl.config.process import service_files
from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.routing_model import EMBEDDED, routing_model
from planoctl.config.runtime import RuntimeConfig

_CHAT_PATH = "/v1/chat/completions"
_CONNECT_SECONDS = 2.0
_ASKED_AT_ONCE = 8
_OUTCOMES: Mapping[Outcome, Literal["routed", "no-route", "failed"]] = {
    Outcome.ROUTED: "routed",
    Outcome.NO_ROUTE: "no-route",
    Outcome.FAILED: "failed",
}


def main() -> int:
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(message)s")
    logging.getLogger("brightstaff.ranking.fetched").setLevel(logging.WARNING)
    try:
        config, _ = service_files(arguments).load()
        prompts = msgspec.json.Decoder(Prompt).decode_lines(sys.stdin.buffer.read())
        answers = asyncio.run(_decide_all(config, prompts))
    except (ConfigError, RoutingFailed, msgspec.DecodeError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 — the process's last words
        return NEEDS_GATEWAY if isinstance(error, RoutingFailed) else 1
    sys.stdout.buffer.write(msgspec.json.Encoder().encode_lines(answers))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brightstaff.dry_run", description="Routing decisions about the prompts on standard input."
    )
    parser.add_argument("--config", type=Path, required=True, help="the rendered configuration")
    parser.add_argument("--secrets", type=Path, help="JSON file with the values of its variables")
    return parser


@dataclass(frozen=True, slots=True)
class _Deciding:
    """Who decides, as an answer names it."""

    router: Router
    name: str
    method: str


@dataclass(frozen=True, slots=True)
class _Ranker:
    """The gateway's own, but for `fastest` without a source of latencies: there the gateway tries models in turn."""

    ranking: Ranking
    latencies: bool

    def order(self, prefer: str) -> Order:
        if prefer == "fastest":
            return "latency" if self.latencies else "unmeasured"
        return "price" if prefer == "cheapest" else "declared"

    def rank(self, models: Sequence[str], prefer: str) -> list[str]:
        return list(models) if self.order(prefer) == "unmeasured" else self.ranking.rank(models, prefer)


async def _decide_all(config: RuntimeConfig, prompts: Sequence[Prompt]) -> list[Answer]:
    """One answer per prompt. Raises RoutingFailed if the routing model cannot be asked without a gateway."""
    registry = ModelRegistry(config)
    asked = routing_model(config, registry)
    ranking = Ranking(config.model_metrics_sources, registry.resolve)
    async with _client(config, asked) as client:
        deciding = await _embedded(config) if asked is None else _direct(config, asked, client)
        await ranking.start()
        try:
            dry_run = _DryRun(config, registry, deciding, ranking)
            gate = asyncio.Semaphore(1 if asked is None else _ASKED_AT_ONCE)
            return await asyncio.gather(*(dry_run.answer(prompt, gate) for prompt in prompts))
        finally:
            await ranking.stop()


class _DryRun:
    def __init__(self, config: RuntimeConfig, registry: ModelRegistry, deciding: _Deciding, ranking: Ranking) -> None:
        self._ranker = _Ranker(ranking, any(source.type == "latency" for source in config.model_metrics_sources))
        sessions = MemoryStore(lambda _outcome: None, ttl=config.routing.session_ttl_seconds)
        self._decider = Decider(config, registry, deciding.router, self._ranker, sessions)
        self._policies = {each.name: each.selection_policy.prefer for each in config.routing_preferences}
        self._deciding = deciding
        self._registry = registry
        self._ranking = ranking

    async def answer(self, prompt: Prompt, gate: asyncio.Semaphore) -> Answer:
        async with gate:
            decision = await self._decider.decide(Question(_turns(prompt)))
        return Answer(
            outcome=_OUTCOMES[decision.outcome],
            router=self._deciding.name,
            method=self._deciding.method,
            milliseconds=round(decision.seconds * 1000, 2),
            route=decision.route,
            order=self._ranker.order(self._policies.get(decision.route or "", "none")),
            models=tuple(self._steps(decision)),
            scores={name: round(score, 4) for name, score in decision.scores.items()},
            reason=decision.reason,
            reason_code=decision.reason_code,
        )

    def _steps(self, decision: Decision) -> Iterator[Step]:
        default = self._registry.default
        names = decision.models or ((default.name,) if default else ())
        own: Source = "preference" if decision.models else "default"
        ranked = {candidate.name: name for name in names if (candidate := self._registry.resolve(name)) is not None}
        for candidate in self._registry.chain(names):
            name = candidate.name
            rates = self._ranking.price(ranked.get(name, name))
            input_price, output_price = (rates.input, rates.output) if rates else (None, None)
            yield Step(name, own if name in ranked else "fallback", input_price, output_price)


def _turns(prompt: Prompt) -> list[Turn]:
    if prompt.messages is None:
        return [Turn("user", prompt.prompt)]
    return [Turn(*turn) for turn in conversation(Format.CHAT, {"messages": prompt.messages}, ROUTING_TURNS)]


async def _embedded(config: RuntimeConfig) -> _Deciding:
    """The router, with the preferences prepared as in a gateway that has been running for a while."""
    space = best_space()
    router = EmbeddedRouter(space)
    await router.choose(config.routing_preferences, [Turn("user", "hello")])
    return _Deciding(router, EMBEDDED, "vectors" if isinstance(space, VectorSpace) else "words")


def _direct(config: RuntimeConfig, asked: Candidate, client: httpx.AsyncClient) -> _Deciding:
    """A router that asks the provider itself. Raises RoutingFailed for one that is not asked like OpenAI."""
    entry, provider = asked.entry, asked.provider
    path = provider.path(Format.CHAT, asked.model, entry.base_url_path_prefix) if provider.speaks(Format.CHAT) else ""
    if not path.endswith(_CHAT_PATH) or provider.auth_for(Format.CHAT) is not Auth.BEARER:
        raise RoutingFailed(f"{asked.name} cannot be asked without a gateway: {provider.display} has an API of its own")
    host = (entry.endpoint or "").strip("[]")
    shown = f"[{host}]" if ":" in host else host
    endpoint = str(httpx.URL(f"{entry.protocol or 'https'}://{shown}:{entry.port}{path.removesuffix(_CHAT_PATH)}"))
    model = RoutingModel.configured(config.overrides, endpoint=endpoint, model=asked.model, provider=asked.name)
    router = OrchestratorRouter(model, client, key=entry.access_key)
    return _Deciding(router, asked.name, endpoint.rstrip("/") + _CHAT_PATH)


def _client(config: RuntimeConfig, asked: Candidate | None) -> httpx.AsyncClient:
    """Connections as Envoy makes them to the provider of `asked`."""
    headers = dict(asked.entry.headers) if asked else {}
    if asked and asked.entry.http_host:
        headers["host"] = asked.entry.http_host
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=config.overrides.upstream_tls_ca_path),
        headers=headers,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
    )


if __name__ == "__main__":
    sys.exit(main())
