"""What a run found: rounds by case, load and gateway, their medians, and the comparisons that are drawn from them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.public.gateways import BARE, LITELLM, PLANO
from tests.bench.public.measurements import (
    LONG_PROMPT,
    SAME_STREAM,
    SAME_UNARY,
    TRANSLATED_STREAM,
    TRANSLATED_UNARY,
    Load,
)

Round = Mapping[str, Any]
_HELD = 0.95
"""Part of an open loop's rate that a gateway has to answer, so that its latency means something."""


@dataclass(frozen=True, slots=True)
class Aim:
    """How a figure of Plano compares with LiteLLM's, and what it has to come to: at least, or at most, `bound`."""

    text: str
    bound: float
    value: float | None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value <= self.bound if self.at_most else self.value >= self.bound


class Results:
    """Reads the document that a run writes (results.json)."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.machine: Mapping[str, str] = document["machine"]
        self.settings: Mapping[str, Any] = document["settings"]
        self.gateways: Mapping[str, Mapping[str, Any]] = document["gateways"]
        self._rounds: dict[tuple[str, str, str], list[Round]] = {
            (entry["case"], entry["load"], entry["gateway"]): entry["rounds"] for entry in document["measurements"]
        }

    @property
    def cases(self) -> list[str]:
        return list(dict.fromkeys(case for case, _, _ in self._rounds))

    @property
    def compared(self) -> list[str]:
        """The gateways without the baseline."""
        return [name for name in self.gateways if name != BARE]

    def rounds(self, case: str, load: Load, gateway: str) -> Sequence[Round]:
        return self._rounds.get((case, load, gateway), [])

    def median(self, case: str, load: Load, gateway: str, figure: str) -> float | None:
        """None where there is nothing: no such round, no such figure, or no sample for a percentile."""
        sampled = "events_per_s" if figure.startswith(("ttft", "gap")) else "requests"
        values = [
            each[figure]
            for each in self.rounds(case, load, gateway)
            if figure in each and (each[sampled] or not figure.endswith("_ms"))
        ]
        return statistics.median(values) if values else None

    def errors(self, gateway: str) -> int:
        return sum(
            each["errors"] for (_, _, name), rounds in self._rounds.items() if name == gateway for each in rounds
        )

    def throughput(self, case: str, gateway: str) -> float | None:
        """Requests/s, or events/s of streams, of the closed loop."""
        figure = "events_per_s" if "stream" in case else "rps"
        rounds = self.rounds(case, Load.CLOSED, gateway)
        return statistics.median(each[figure] for each in rounds) if rounds else None

    def per_core(self, case: str, gateway: str) -> float | None:
        """Requests (or events) per second of the gateway's processor time."""
        throughput, cores = self.throughput(case, gateway), self.median(case, Load.CLOSED, gateway, "gateway_cores")
        return throughput / cores if throughput is not None and cores else None

    def added(self, case: str, load: Load, gateway: str, percentile: str) -> float | None:
        """Milliseconds more than the bare Envoy, at `50` or `99`: to the whole answer, or to a stream's first byte."""
        figure = f"{'ttft' if 'stream' in case else 'p'}{percentile}_ms"
        value, base = self.median(case, load, gateway, figure), self.median(case, load, BARE, figure)
        return value - base if value is not None and base is not None else None

    def held(self, case: str, gateway: str) -> bool:
        """Whether the gateway answered an open loop as fast as requests came."""
        rounds = self.rounds(case, Load.OPEN, gateway)
        rates = self.settings["open_rates"]
        return not rounds or statistics.median(each["rps"] for each in rounds) >= _HELD * rates[case]

    def resident_mb(self, gateway: str) -> float | None:
        """The most that all processes of the gateway had together after a round."""
        sizes = [
            each["resident_mb"]
            for (_, _, name), rounds in self._rounds.items()
            if name == gateway
            for each in rounds
            if "resident_mb" in each
        ]
        return max(sizes, default=None)

    def other_cores(self) -> float:
        """Cores that programs outside the benchmark used, the median of all rounds."""
        used = [each["other_cores"] for rounds in self._rounds.values() for each in rounds if "other_cores" in each]
        return statistics.median(used) if used else 0.0

    def aims(self) -> list[Aim]:
        """The comparison with LiteLLM; empty where it did not run."""
        if LITELLM not in self.gateways or PLANO not in self.gateways:
            return []
        return [
            Aim("requests/s, translated unary", 20, self._throughput_ratio(TRANSLATED_UNARY)),
            Aim("events/s, streams in the same format", 10, self._throughput_ratio(SAME_STREAM)),
            Aim("events/s, translated streams", 10, self._throughput_ratio(TRANSLATED_STREAM)),
            *(
                Aim(f"added p50, one at a time, {case}", 0.2, self._added_ratio(case), at_most=True)
                for case in (SAME_UNARY, TRANSLATED_UNARY, LONG_PROMPT)
            ),
            *(
                Aim(f"added time to first token, one at a time, {case}", 0.2, self._added_ratio(case), at_most=True)
                for case in (SAME_STREAM, TRANSLATED_STREAM)
            ),
        ]

    def _throughput_ratio(self, case: str) -> float | None:
        ours, theirs = self.throughput(case, PLANO), self.throughput(case, LITELLM)
        return ours / theirs if ours is not None and theirs else None

    def _added_ratio(self, case: str) -> float | None:
        ours = self.added(case, Load.ONE, PLANO, "50")
        theirs = self.added(case, Load.ONE, LITELLM, "50")
        return ours / theirs if ours is not None and theirs is not None and theirs > 0 else None
