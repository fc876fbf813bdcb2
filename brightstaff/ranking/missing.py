"""Says once, not with every decision, that a model has no value to be ranked by."""

import logging
from collections.abc import Container, Sequence

log = logging.getLogger(__name__)

_MOST = 1000


class MissingLog:
    """`what` is missing: `price` or `latency`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._named: set[str] = set()

    def note(self, models: Sequence[str], known: Container[str]) -> None:
        for model in models:
            if model not in known and model not in self._named and len(self._named) < _MOST:
                self._named.add(model)
                log.warning("model %s has no %s, so it is ranked last", model, self._what)

    def renewed(self) -> None:
        """New data came: what is missing still is worth another line."""
        self._named.clear()
