"""Processor time of every pair of client and provider format, on one core: `python -m tests.bench.translate`.

Driven through the sidecar's Exchange, from the client's bytes to the provider's and back. `make bench` prints it too.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import orjson

from extproc.exchange import BodyMode, Exchange
from hermesllm.formats import STREAM_CONTENT_TYPES, Format
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import ModelProvider
from tests.bench import answers, questions
from tests.bench.report import table

CHAT_US = 60.0
EVENT_US = 25.0
LARGE_MS = 4.0
_BLOCKS = 15
_BLOCK_NS = 20_000_000
_BODY_LIMIT = 1 << 26
_HEADERS = {":path": "/v1/bench", "authorization": "Bearer bench", "content-type": "application/json"}
_CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES)
_UPSTREAMS = {
    Format.CHAT: ("openai", "gpt-4.1"),
    Format.ANTHROPIC: ("anthropic", "claude-sonnet-4-5"),
    Format.RESPONSES: ("openai", "gpt-4.1"),
    Format.CONVERSE: ("amazon_bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    Format.GEMINI: ("gemini", "gemini-2.5-flash"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A client format and a provider format: one cell of the translation matrix."""

    client: Format
    upstream: Format

    @property
    def name(self) -> str:
        return f"translation, {self.client} → {self.upstream}"


PAIRS = tuple(Pair(client, upstream) for client, upstream in product(_CLIENTS, _UPSTREAMS))


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one pair. `event_us` is None where the provider's stream goes to the client without the sidecar."""

    pair: str
    chat_us: float
    event_us: float | None
    long_ms: float
    agent_ms: float

    @property
    def missed(self) -> list[str]:
        judged = (
            ("2 KB chat", self.chat_us, CHAT_US, "µs"),
            ("stream event", self.event_us or 0.0, EVENT_US, "µs"),
            ("400 KB, one text", self.long_ms, LARGE_MS, "ms"),
            ("400 KB, 401 turns", self.agent_ms, LARGE_MS, "ms"),
        )
        return [f"{name} ≤ {aim:g} {unit}" for name, value, aim, unit in judged if value > aim]


def measure(pair: Pair) -> Figures:
    """The figures of one pair."""
    asked = questions.request(pair.client)
    streamed = questions.request(pair.client, stream=True)
    answer, events = answers.answer(pair.upstream), answers.stream(pair.upstream)
    one_text, agent = questions.long_request(pair.client), questions.agent_request(pair.client)
    if answers.LAST_WORDS not in _chat(pair, asked, answer):
        raise RuntimeError(f"{pair.name}: the answer did not arrive")
    return Figures(
        pair.name,
        _median_ns(lambda: _chat(pair, asked, answer)) / 1e3,
        _event_us(pair, streamed, events),
        _median_ns(lambda: _asked(pair, one_text)) / 1e6,
        _median_ns(lambda: _asked(pair, agent)) / 1e6,
    )


def _event_us(pair: Pair, asked: bytes, events: Sequence[bytes]) -> float | None:
    """The whole exchange less its request, per event."""
    if _asked(pair, asked).response_head(200, _stream_headers(pair)).mode is BodyMode.NONE:
        return None
    if sum(map(bool, _stream(pair, asked, events))) < answers.EVENTS:
        raise RuntimeError(f"{pair.name}: the stream broke")
    whole, request = (_median_ns(work) for work in (lambda: _stream(pair, asked, events), lambda: _asked(pair, asked)))
    return (whole - request) / 1e3 / len(events)


def measure_all(pairs: Sequence[Pair]) -> list[Figures]:
    """The figures of the pairs, one after another."""
    gc.collect()
    gc.freeze()  # as a sidecar worker does
    return [measure(pair) for pair in pairs]


def figures_table(figures: Sequence[Figures]) -> str:
    """One row per pair; ✗ marks what misses its aim."""
    rows = [
        [
            each.pair,
            _marked(each.chat_us, CHAT_US),
            "–" if each.event_us is None else _marked(each.event_us, EVENT_US),
            _marked(each.long_ms, LARGE_MS, digits=2),
            _marked(each.agent_ms, LARGE_MS, digits=2),
        ]
        for each in figures
    ]
    aims = ["aim at most", f"{CHAT_US:g}", f"{EVENT_US:g}", f"{LARGE_MS:g}", f"{LARGE_MS:g}"]
    heads = ["processor time", "2 KB chat µs", "stream event µs", "400 KB one text ms", "400 KB 401 turns ms"]
    return table(heads, [*rows, aims])


def as_json(figures: Sequence[Figures]) -> list[dict[str, Any]]:
    return [{**asdict(each), "missed": each.missed} for each in figures]


def _marked(value: float, aim: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}{' ✗' if value > aim else ''}"


def _candidate(pair: Pair) -> Candidate:
    """A model of a provider that speaks nothing but the pair's format."""
    provider_id, model = _UPSTREAMS[pair.upstream]
    provider = PROVIDERS[provider_id]
    provider = replace(provider, paths={pair.upstream: provider.paths[pair.upstream]})
    entry = ModelProvider(name="bench", provider_interface=provider_id, model=model, access_key="bench-key")
    return Candidate(entry, provider, model)


_CANDIDATES = {pair: _candidate(pair) for pair in PAIRS}


def _asked(pair: Pair, raw: bytes) -> Exchange:
    exchange = Exchange(pair.client, _CANDIDATES[pair], body_limit=_BODY_LIMIT)
    exchange.request(_HEADERS, raw, orjson.loads(raw))
    return exchange


def _chat(pair: Pair, raw: bytes, answer: bytes) -> bytes:
    exchange = _asked(pair, raw)
    head = exchange.response_head(200, {"content-type": "application/json"})
    return answer if head.mode is BodyMode.NONE else exchange.response_body(answer)


def _stream_headers(pair: Pair) -> dict[str, str]:
    return {"content-type": STREAM_CONTENT_TYPES[pair.upstream][0]}


def _stream(pair: Pair, raw: bytes, events: Sequence[bytes]) -> list[bytes]:
    exchange = _asked(pair, raw)
    exchange.response_head(200, _stream_headers(pair))
    return [
        *[exchange.response_chunk(event, end=False) for event in events],
        exchange.response_chunk(b"", end=True),
    ]


def _median_ns(work: Callable[[], object]) -> float:
    """Processor time of one call: the median of blocks of calls that take 20 ms each."""
    begin = time.process_time_ns()
    work()
    calls = max(1, _BLOCK_NS // (time.process_time_ns() - begin))
    return statistics.median(_block_ns(work, calls) for _ in range(_BLOCKS))


def _block_ns(work: Callable[[], object], calls: int) -> float:
    begin = time.process_time_ns()
    for _ in range(calls):
        work()
    return (time.process_time_ns() - begin) / calls


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.translate", description=__doc__)
    parser.add_argument("--only", default="", help="only the pairs whose names contain this")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures = measure_all([pair for pair in PAIRS if arguments.only in pair.name])
    print(figures_table(figures))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(figures), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
