"""Time that limits cost a request, on one core: `python -m tests.bench.bench_limits`."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from extproc.limits.limits import Admission, Asked, Limits
from extproc.limits.local_store import LocalStore
from extproc.limits.quota import Charge
from extproc.limits.rules import Rules
from hermesllm.formats import Format
from hermesllm.tokenizer import estimate_tokens
from hermesllm.usage import Usage
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import ModelProvider, RateLimit, RateLimitQuota, RateLimitSelector, RuntimeConfig

_PLENTY = 2**60
_PROSE = "The river rises in the hills and reaches the sea after forty bridges. "
_DOCUMENT: dict[str, Any] = {"messages": [{"role": "user", "content": _PROSE}]}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "limits")
        for count in (1, 2, 4):
            charges = [[Charge(bucket, _PLENTY, 60, 5) for bucket in range(1, count + 1)]]
            _report(f"{count} quotas in the shared file", 5000, lambda charges=charges: store.reserve(charges))
        entry = ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o")
        limit = RateLimit(
            model="gpt-4o",
            selector=RateLimitSelector(key="x-team"),
            limit=RateLimitQuota(tokens=_PLENTY, requests=_PLENTY, unit="minute"),
        )
        config = RuntimeConfig(version="v0.4.0", model_providers=(entry,), ratelimits=(limit,))
        limits, rules, candidate = (
            Limits(path=Path(folder) / "limits"),
            Rules(config),
            ModelRegistry(config).resolve("gpt-4o"),
        )
        assert candidate is not None

        def request() -> None:
            asked = Asked(Format.CHAT, _DOCUMENT, {"x-team": "blue"}, "gpt-4o")
            admission = limits.admit(rules, asked, [candidate])
            assert isinstance(admission, Admission)
            limits.settle(admission.reservation, Usage(prompt=20, completion=5), 200)

        _report("a request: matched, counted, charged, settled", 5000, request)
    for size in (1000, 10_000, 40_000, 1_000_000):
        text = _PROSE * (size // len(_PROSE))
        _report(f"tokens of {size} characters", 20, lambda text=text: estimate_tokens(text))


def _report(name: str, runs: int, work: Callable[[], Any]) -> None:
    """The best of five means."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(runs):
            work()
        best = min(best, (time.perf_counter() - begin) / runs)
    sys.stdout.write(f"{name}: {best * 1e6:.1f} µs\n")


if __name__ == "__main__":
    main()
