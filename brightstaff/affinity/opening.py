"""Which store a configuration asks for."""

from brightstaff.affinity.affinity import AffinityStore, OnEvent
from brightstaff.affinity.memory import MemoryStore
from brightstaff.affinity.redis import COMMAND_SECONDS, RedisStore
from planoctl.config.runtime import Routing


def open_store(routing: Routing, on_event: OnEvent, *, patience: float = COMMAND_SECONDS) -> AffinityStore:
    """The store of `routing.session_cache`. `patience`: seconds that a request may wait for it.

    Connects with the first use. Raises ValueError for a Redis URL that cannot be used.
    """
    cache = routing.session_cache
    if cache.type == "redis":
        return RedisStore(cache.url or "", on_event, ttl=routing.session_ttl_seconds, patience=patience)
    return MemoryStore(on_event, ttl=routing.session_ttl_seconds, capacity=routing.session_max_entries)
