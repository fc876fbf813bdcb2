"""What is kept of a session, under which key, and what a store of it can do."""

from collections.abc import Callable
from hashlib import sha256
from typing import Literal, Protocol

import msgspec

Outcome = Literal["hit", "miss", "store", "error", "store_error"]
OnEvent = Callable[[Outcome], None]

_LONGEST = 256


class Affinity(msgspec.Struct, frozen=True):
    """A decision: the models, best first, and the name of the preference, None where none fitted."""

    models: tuple[str, ...]
    route: str | None = None


class AffinityStore(Protocol):
    """Keeps affinities for a time. No method raises: a request never fails because of the store."""

    async def get(self, key: str) -> Affinity | None:
        """What was put under the key, unless it is too old."""
        ...

    async def put(self, key: str, value: Affinity) -> None:
        """Keep the value; its time begins anew."""
        ...

    async def ready(self) -> bool:
        """Whether the store can be used now."""
        ...

    async def close(self) -> None: ...


def affinity_key(session_id: str, tenant: str = "") -> str | None:
    """The key of a session, at most about 600 printable ASCII characters; None without a session id.

    Different pairs of session id and tenant have different keys. Blank values count as absent.
    """
    session = session_id.strip()
    if not session:
        return None
    owner = _part(tenant.strip())
    return f"{len(owner)}:{owner}:{_part(session)}"


def _part(text: str) -> str:
    if not text:
        return ""
    if len(text) <= _LONGEST and text.isascii() and text.isprintable():
        return f"={text}"
    return f"#{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
