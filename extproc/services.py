"""What all stages of one worker share, and what outlives a configuration."""

from dataclasses import dataclass, field

from extproc.health import Health
from extproc.latency import Latencies
from extproc.routing import RoutingClient


@dataclass(frozen=True, slots=True)
class Services:
    health: Health
    routing: RoutingClient
    latencies: Latencies = field(default_factory=Latencies)
