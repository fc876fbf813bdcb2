"""Session affinity: the decision that the steps of a session share, so that a conversation stays with its model."""

from brightstaff.affinity.affinity import Affinity, AffinityStore, Outcome, affinity_key
from brightstaff.affinity.memory import MemoryStore
from brightstaff.affinity.opening import open_store
from brightstaff.affinity.redis import RedisStore

__all__ = ["Affinity", "AffinityStore", "MemoryStore", "Outcome", "RedisStore", "affinity_key", "open_store"]
