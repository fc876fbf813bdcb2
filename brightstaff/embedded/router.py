"""Chooses a preference by likeness between what the user wants and the names and descriptions of the preferences."""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock

import anyio.to_thread

from brightstaff.embedded.evidence import Comparer, PreparedPreference, probabilities
from brightstaff.embedded.lexical import WordSpace
from brightstaff.embedded.space import Space
from brightstaff.embedded.vectors import VectorSpace, VectorsUnavailable
from brightstaff.routing.types import NO_HEADERS, Choice, Turn
from planoctl.config.runtime import RoutingPreference

_log = logging.getLogger(__name__)
_REMEMBERED = 1024  # preferences; inline ones may be new with every request
_LONGEST_DESCRIPTION = 2000  # characters compared of a name or a description


def best_space() -> Space:
    """The vectors where they are installed (`planoctl[router]`), else words."""
    try:
        return VectorSpace.load()
    except VectorsUnavailable as reason:
        _log.warning("The embedded router compares words only (install planoctl[router] for vectors): %s", reason)
        return WordSpace()


class EmbeddedRouter:
    """Needs no model server. Loading takes some 0.2 s, a decision about a millisecond of one core, in a thread.

    A choice's scores are probabilities; what is missing to 1 is that no preference fits.
    """

    def __init__(self, space: Space | None = None) -> None:
        self._comparer = Comparer(space or best_space())
        self._prepared: OrderedDict[tuple[str, str], PreparedPreference] = OrderedDict()
        self._lock = Lock()

    async def choose(
        self,
        preferences: Sequence[RoutingPreference],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,  # noqa: ARG002 - of the Router interface
        headers: Mapping[str, str] = NO_HEADERS,  # noqa: ARG002
    ) -> Choice:
        if not preferences or not conversation:
            return Choice(None)
        return await anyio.to_thread.run_sync(self.decide, preferences, conversation)

    def decide(self, preferences: Sequence[RoutingPreference], conversation: Sequence[Turn]) -> Choice:
        """The same, in the calling thread."""
        offered = {preference.name: preference for preference in preferences}
        prepared = [self._prepare(preference) for preference in offered.values()]
        evidence = self._comparer.evidence(prepared, conversation) if prepared else None
        if evidence is None:
            return Choice(None)
        *scores, none = probabilities(evidence, self._comparer.space.weights)
        by_name = dict(zip(offered, scores, strict=True))
        best = max(by_name, key=by_name.__getitem__)
        return Choice(best if by_name[best] > none else None, by_name)

    def _prepare(self, preference: RoutingPreference) -> PreparedPreference:
        key = (preference.name[:_LONGEST_DESCRIPTION], preference.description[:_LONGEST_DESCRIPTION])
        with self._lock:
            if (known := self._prepared.get(key)) is not None:
                self._prepared.move_to_end(key)
                return known
        prepared = self._comparer.prepare(*key)
        with self._lock:
            self._prepared[key] = prepared
            while len(self._prepared) > _REMEMBERED:
                self._prepared.popitem(last=False)
        return prepared
