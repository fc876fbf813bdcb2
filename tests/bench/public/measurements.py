"""What is measured: five cases, each under three kinds of load, and one round of one of them."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psutil

from tests.bench.cases import STREAMS, Case, Client, Processes
from tests.bench.public.gateways import Gateway

PROMPT_TOKENS = 100_000
_OPEN_CONNECTIONS = 64
_PATIENCE = 30
_REST_SECONDS, _REST_STEP, _REST_CORES = 60.0, 0.3, 0.15


class Load(StrEnum):
    """One request at a time; a set rate, whatever the answers do; as fast as answers come on many connections."""

    ONE = "one at a time"
    OPEN = "open loop"
    CLOSED = "closed loop"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A case with the connections of its closed loop, and the rate of its open one in requests/s."""

    case: Case
    rate: float

    def under(self, load: Load) -> Case:
        connections = {Load.ONE: 1, Load.OPEN: _OPEN_CONNECTIONS, Load.CLOSED: self.case.connections}
        return dataclasses.replace(self.case, connections=connections[load])


SAME_UNARY, SAME_STREAM = "unary, same format", "stream, same format"
TRANSLATED_UNARY, TRANSLATED_STREAM = "unary, translated", "stream, translated"
LONG_PROMPT = "100K-token prompt"
MEASUREMENTS = (
    Measurement(Case(SAME_UNARY, "chat", "openai"), rate=40),
    Measurement(Case(SAME_STREAM, "chat", "openai", stream=True, connections=STREAMS), rate=10),
    Measurement(Case(TRANSLATED_UNARY, "chat", "anthropic"), rate=40),
    Measurement(Case(TRANSLATED_STREAM, "chat", "anthropic", stream=True, connections=STREAMS), rate=10),
    Measurement(Case(LONG_PROMPT, "chat", "openai", connections=16, prompt_tokens=PROMPT_TOKENS), rate=5),
)


def measure(
    client: Client,
    measurement: Measurement,
    load: Load,
    gateway: Gateway,
    others: Sequence[Gateway],
    upstream: Processes,
) -> dict[str, Any]:
    """The figures of one round, begun when all gateways are at rest. `gateway_cores` is the processor time of the
    gateway per second, `resident_mb` its memory at the end; `other_cores` is what neither the benchmark nor one of the
    gateways used. All are missing where the gateway's processes are unknown.
    """
    case = measurement.under(load)
    client = dataclasses.replace(client, key=gateway.key, rate=measurement.rate if load is Load.OPEN else 0.0)
    if load is Load.CLOSED and case.stream:  # with 200 at once, a slow gateway needs seconds for a single stream
        client = dataclasses.replace(client, seconds=2 * client.seconds, warmup=2 * client.warmup)
    processes = {
        "gateway": [process for group in gateway.processes.values() for process in group],
        "idle": [process for other in others for group in other.processes.values() for process in group],
        "upstream": [process for group in upstream.values() for process in group],
    }
    _await_rest([*processes["gateway"], *processes["idle"]])
    figures = client.measure(
        case, gateway.address, gateway.model(case), processes, prefix=gateway.prefix, headers=gateway.headers
    )
    if not gateway.processes:
        return {name: value for name, value in figures.items() if name not in ("gateway_cores", "other_cores")}
    return figures | {"resident_mb": gateway.resident_mb()}


def _await_rest(gateways: Sequence[psutil.Process]) -> None:
    """Returns when the gateways have done with what an earlier round left behind, at the latest after a minute."""
    used, deadline = _processor_seconds(gateways), time.monotonic() + _REST_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_REST_STEP)
        before, used = used, _processor_seconds(gateways)
        if used - before < _REST_STEP * _REST_CORES:
            return


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def probe(client: Client, measurements: Sequence[Measurement], gateway: Gateway) -> None:
    """A second of every case, which also warms the gateway up; its first answers may take longer. Raises RuntimeError
    when a case fails.
    """
    short = dataclasses.replace(client, key=gateway.key, seconds=1.0, warmup=0.0)
    for measurement in measurements:
        case = measurement.under(Load.ONE)
        for _ in range(_PATIENCE):
            figures = short.measure(
                case, gateway.address, gateway.model(case), {}, prefix=gateway.prefix, headers=gateway.headers
            )
            if figures["errors"] or figures["requests"]:
                break
        if figures["errors"] or not figures["requests"]:
            reason = figures["first_error"] or f"no answer within a second, {_PATIENCE} times"
            raise RuntimeError(f"{gateway.name} does not answer the case {case.name!r}: {reason}")
