"""Reloads a gateway again and again under load, changing all that can change, and counts what clients notice."""

import asyncio
import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from planoctl.port_check import free_port
from tests.reload.load import Connection, Tally, ask_steadily, keep_streaming, question
from tests.reload.provider import Provider

_CALLERS = 20
_EVENTS = 40


@dataclass
class Result:
    """Times in seconds. `commands`: how long each reload took; `stale`: checks that found the configuration old."""

    tally: Tally
    seconds: float
    commands: list[float] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)

    def summary(self) -> str:
        ordered = sorted(self.tally.latencies)
        commands = f"median {statistics.median(self.commands):.2f} s, longest {max(self.commands):.2f} s each"
        speed = f"{self.tally.whole / self.seconds:.0f}/s, p50 {_ms(ordered, 0.5)}, p99 {_ms(ordered, 0.99)}"
        lines = [
            f"{len(self.commands)} reloads in {self.seconds:.0f} s: {commands}",
            f"in force when the command ended: {'always' if not self.stale else 'NOT ALWAYS'}",
            f"{self.tally.whole} requests ({speed}); {self.tally.streams} streams with {self.tally.events} events",
            f"failed requests and cut streams: {sum(self.tally.failures.values())}",
        ]
        return "\n".join([*lines, *(f"  {count} × {what}" for what, count in self.tally.failures.items()), *self.stale])


def _ms(ordered: list[float], share: float) -> str:
    return f"{ordered[int(len(ordered) * share)] * 1000:.1f} ms"


def _documents(port: int, provider: int) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Ever new configurations, each with a model that is new in it and one that is not in it any more."""
    base = {"base_url": f"http://127.0.0.1:{provider}"}
    for turn in itertools.count():
        document: dict[str, Any] = {
            "version": "v0.4.0",
            "listeners": [
                {"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "timeout": f"{300 + turn % 3}s"}
            ],
            "model_providers": [
                {"model": "openai/steady", "access_key": f"key-{turn}", "default": True, **base},
                {"model": f"openai/new-{turn}", "access_key": "k", "base_url": f"http://localhost:{provider}"},
            ],
            "routing": {"failover": {"per_try_timeout": f"{60 + turn % 2}s"}},
            "overrides": {"max_request_bytes": 1_000_000 * (1 + turn % 2)},
        }
        if turn % 2:
            document["model_providers"].append({"model": f"groq/extra-{turn}", "access_key": "k", **base})
            document["model_aliases"] = {"fast": {"target": "steady"}}
        yield document, f"new-{turn}", f"new-{turn - 1}"


async def run(folder: Path, *, seconds: float, rate: float, streams: int, every: float, gap: float = 0.25) -> Result:
    """Load for `seconds` with a reload `every` so many; the gateway's files are in `folder`."""
    provider = Provider(gap)
    server = await provider.serve()
    port = free_port()
    documents = _documents(port, server.sockets[0].getsockname()[1])
    config = folder / "plano_config.yaml"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLANO_")},
        "PLANO_HOME": str(folder / "home"),
        "PLANO_BRIGHTSTAFF_PORT": "0",
        "PLANO_ADMIN_PORT": "0",
        "PLANO_METRICS_PORT": "0",
    }

    async def planoctl(*arguments: str) -> float:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "planoctl", *arguments), env=environment, cwd=folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(output.decode())
        return time.monotonic() - began

    config.write_text(yaml.safe_dump(next(documents)[0]))
    await planoctl("up", "--workers", "2")
    try:
        result = Result(Tally(), seconds)
        until = time.monotonic() + seconds
        apis = itertools.cycle(("chat", "messages"))
        tasks = [
            asyncio.create_task(ask_steadily(port, next(apis), "steady", _CALLERS / rate, until, result.tally))
            for _ in range(_CALLERS)
        ] + [
            asyncio.create_task(keep_streaming(port, next(apis), "steady", _EVENTS, until, result.tally))
            for _ in range(streams)
        ]
        due = time.monotonic() + every
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + every, time.monotonic())
            document, new, gone = next(documents)
            config.write_text(yaml.safe_dump(document))
            result.commands.append(await planoctl("reload"))
            await _check(port, new, gone, result)
        await asyncio.gather(*tasks)
        return result
    finally:
        await planoctl("down")
        server.close()


async def _check(port: int, new: str, gone: str, result: Result) -> None:
    """Straight after the command both workers answer by the new file, and by it alone."""
    for _ in range(4):
        for model, expected in ((new, 200), (gone, 404)):
            connection = Connection(port)
            status, answer = await connection.ask("chat", question("chat", model))
            connection.close()
            if status != expected:
                result.stale.append(f"{model}: {status} instead of {expected}: {answer[:200]!r}")
