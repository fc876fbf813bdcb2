"""What is measured: the cases, their targets, and one measurement of one case against one address."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.long_prompt import conversation

QUESTION = (
    "Tell me about the history of the city of Paris in about three sentences. Keep it short, do not use lists, and"
    " mention how the city grew along the river."
)
SYSTEM = "You are a careful assistant. Answer in the language of the question."
CONNECTIONS = 64

Processes = Mapping[str, Sequence[psutil.Process]]
"""Processes by group: `envoy`, `extproc`, `brightstaff`, `upstream`."""
STREAMS = 200


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that the gateway has to reach: `metric` at least (or at most) `bound`."""

    metric: str
    bound: float
    at_most: bool = False

    def met(self, figures: Mapping[str, float]) -> bool:
        value = figures[self.metric]
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{_METRICS[self.metric]} {'≤' if self.at_most else '≥'} {self.bound:,g}"


_METRICS = {
    "rps": "requests/s",
    "events_per_s": "events/s",
    "added_p50_ms": "added p50 ms",
    "ratio": "ratio",
}
_UNARY_RATIO = Target("ratio", 1 / 8)
TRACED_RATIO = Target("ratio", 0.9)
"""Of a gateway that traces to the same without."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of traffic: the client's API (`chat`, `messages`), and the upstream's (`openai`, `anthropic`, `bedrock`)
    or an alias of the gateway (`chain`, `failover`).

    The bare Envoy is sent the same requests, so its upstream answers them in the client's own API. `prompt_tokens` > 0
    makes the prompt a conversation of that length instead of a question.
    """

    name: str
    client: str
    upstream: str
    stream: bool = False
    connections: int = CONNECTIONS
    targets: tuple[Target, ...] = ()
    prompt_tokens: int = 0

    @property
    def path(self) -> str:
        return "/v1/chat/completions" if self.client == "chat" else "/v1/messages"

    @property
    def throughput_metric(self) -> str:
        return "events_per_s" if self.stream else "rps"

    @property
    def expected(self) -> str:
        """What every answer must contain: the client's own format, and the answer's end where it is a stream."""
        if self.stream:
            return "data: [DONE]" if self.client == "chat" else "message_stop"
        return '"finish_reason":"stop"' if self.client == "chat" else '"stop_reason":"end_turn"'

    def body(self, model: str) -> dict[str, Any]:
        """A request of ordinary size and shape."""
        body: dict[str, Any] = {"model": model, "max_tokens": 256, "temperature": 0.7}
        messages = conversation(self.prompt_tokens) if self.prompt_tokens else [{"role": "user", "content": QUESTION}]
        if self.client == "chat":
            body["messages"] = [{"role": "system", "content": SYSTEM}, *messages]
        else:
            body |= {"system": SYSTEM, "messages": messages}
        if self.stream:
            body["stream"] = True
        return body


CASES = (
    Case("unary, chat → openai", "chat", "openai", targets=(Target("rps", 5000), _UNARY_RATIO)),
    Case("unary, messages → openai", "messages", "openai", targets=(Target("rps", 4000), _UNARY_RATIO)),
    Case("unary, chat → anthropic", "chat", "anthropic", targets=(Target("rps", 4000), _UNARY_RATIO)),
    Case(
        f"{STREAMS} streams, chat → openai",
        "chat",
        "openai",
        stream=True,
        connections=STREAMS,
        targets=(Target("ratio", 0.95),),
    ),
    Case(
        f"{STREAMS} streams, messages → openai",
        "messages",
        "openai",
        stream=True,
        connections=STREAMS,
        targets=(Target("events_per_s", 25_000),),
    ),
    Case(
        f"{STREAMS} streams, chat → anthropic",
        "chat",
        "anthropic",
        stream=True,
        connections=STREAMS,
        targets=(Target("events_per_s", 25_000),),
    ),
    Case(
        f"{STREAMS} streams, chat → bedrock",
        "chat",
        "bedrock",
        stream=True,
        connections=STREAMS,
        targets=(Target("events_per_s", 20_000),),
    ),
    Case(
        "one at a time, chat → openai",
        "chat",
        "openai",
        connections=1,
        targets=(Target("added_p50_ms", 0.6, at_most=True),),
    ),
    Case("one at a time, messages → openai", "messages", "openai", connections=1),
    # At least 60 % of the first case and of the streams above: what it costs to be ready for a failover.
    Case("unary, chat → chain of two", "chat", "chain", targets=(Target("rps", 3000),)),
    Case(f"{STREAMS} streams, chat → chain of two", "chat", "chain", stream=True, connections=STREAMS),
    Case(
        "one at a time, chat → failover",
        "chat",
        "failover",
        connections=1,
        targets=(Target("added_p50_ms", 5.6, at_most=True),),
    ),
)


@dataclass(frozen=True, slots=True)
class Client:
    """The load program and how long it runs: `seconds` measured after `warmup`. `rate` > 0 makes it an open loop."""

    program: Path
    folder: Path
    seconds: float
    warmup: float
    key: str
    rate: float = 0.0

    def start(
        self, case: Case, address: str, model: str, *, prefix: str = "", headers: Sequence[str] = ()
    ) -> "subprocess.Popen[str]":
        """Starts the load of one case on `host:port`, its path after `prefix`, with more headers (`name: value`)."""
        body = self.folder / f"body-{case.client}-{case.stream}-{case.prompt_tokens}-{model.replace('/', '_')}.json"
        if not body.exists():
            body.write_text(json.dumps(case.body(model), separators=(",", ":")))
        options: list[object] = ["-a", address, "-u", prefix + case.path, "-b", body, "-c", case.connections]
        options += ["-d", self.seconds, "-w", self.warmup, "-x", case.expected]
        options += ["-H", f"authorization: Bearer {self.key}"]
        options += ["-H", "anthropic-version: 2023-06-01"] if case.client == "messages" else []
        for header in headers:
            options += ["-H", header]
        options += ["-s"] if case.stream else []
        options += ["-r", self.rate] if self.rate else []
        command = [str(self.program), "load", *map(str, options)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def measure(
        self,
        case: Case,
        address: str,
        model: str,
        processes: Processes,
        *,
        prefix: str = "",
        headers: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The figures of one run. `<group>_cores` is what each group of processes used meanwhile, `other_cores` what
        everything on the machine used that is not in a group and not the client: it disturbs the measurement.
        """
        before, busy_before = _cpu_seconds(processes), _busy_seconds()
        start = time.monotonic()
        loader = self.start(case, address, model, prefix=prefix, headers=headers)
        output, _ = loader.communicate(timeout=self.warmup + self.seconds + 30)
        elapsed = time.monotonic() - start
        if loader.returncode:
            raise RuntimeError(f"llmbench load ended with {loader.returncode}")
        figures: dict[str, Any] = json.loads(output)
        used = {name: seconds - before[name] for name, seconds in _cpu_seconds(processes).items()}
        others = _busy_seconds() - busy_before - sum(used.values()) - figures["client_cpu_s"]
        cores = {f"{name}_cores": seconds / elapsed for name, seconds in used.items()}
        return figures | cores | {"other_cores": max(0.0, others / elapsed)}


def _cpu_seconds(processes: Processes) -> dict[str, float]:
    return {name: sum(sum(process.cpu_times()[:2]) for process in group) for name, group in processes.items()}


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0)
