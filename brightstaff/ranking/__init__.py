"""The order of a preference's models: as declared, by price, or by latency."""

from brightstaff.ranking.observed import ObservedLatency
from brightstaff.ranking.order import rank
from brightstaff.ranking.ranking import Ranking

__all__ = ["ObservedLatency", "Ranking", "rank"]
