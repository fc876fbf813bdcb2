"""What all stages of one worker share, and what outlives a configuration."""

from dataclasses import dataclass, field

from extproc.accounting.observation import Subscriber
from extproc.health import Health
from extproc.latency import Latencies
from extproc.limits.limits import Limits
from extproc.metrics.requests import RequestMetrics
from extproc.routing import RoutingClient


@dataclass(frozen=True, slots=True)
class Services:
    health: Health
    routing: RoutingClient
    latencies: Latencies = field(default_factory=Latencies)
    subscribers: list[Subscriber] = field(default_factory=list)
    """Told of each request that is over. A subscriber must be quick: it holds up the worker's requests."""
    limits: Limits = field(default_factory=Limits)
    metrics: RequestMetrics = field(default_factory=RequestMetrics)
