"""Label values of metrics that others choose, kept few: what clients send must not become series without end."""

import logging
from collections.abc import Callable, Iterable

from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import RuntimeConfig

log = logging.getLogger(__name__)

MOST = 200
OTHER = "other"

Folded = Callable[[str], None]
"""Told the name of the label each time that a value becomes `other`."""


class BoundedValues:
    """Values of one label: those of the configuration, and the first 200 others. The rest is `other`."""

    def __init__(self, label: str, folded: Folded, most: int = MOST) -> None:
        self._label = label
        self._folded = folded
        self._most = most
        self._configured: frozenset[str] = frozenset()
        self._others: set[str] = set()
        self._told = False

    def configure(self, values: Iterable[str]) -> None:
        self._configured = frozenset(values)

    def value(self, value: str, *, new: bool = True) -> str:
        """The value or `other`; `new`: one that was not seen before may join."""
        if value in self._configured or value in self._others:
            return value
        if new and len(self._others) < self._most:
            self._others.add(value)
            return value
        if new and not self._told:
            self._told = True
            log.warning("metrics show more than %d values of %s as %r", self._most, self._label, OTHER)
        self._folded(self._label)
        return OTHER


class MetricLabels:
    """The labels of one configuration: models of its entries, and the names of its gateway keys."""

    def __init__(self, folded: Folded) -> None:
        self.models = BoundedValues("model", folded)
        self._folded = folded
        self._keys: frozenset[str] = frozenset()
        self._registry: ModelRegistry | None = None

    def configure(self, config: RuntimeConfig) -> None:
        self._registry = ModelRegistry(config)
        self.models.configure(entry.model for entry in config.model_providers if not entry.wildcard)
        self._keys = frozenset(key.name for listener in config.listeners if listener.auth for key in listener.auth.keys)

    def model(self, model: str, *, served: bool) -> str:
        """A provider's id of a model. With a wildcard clients choose it, so only one that was `served` is new."""
        return self.models.value(model, new=served) if model else ""

    def named(self, name: str) -> tuple[str, str]:
        """Provider and model of a public name, as labels; empty for one that means nothing."""
        candidate = self._registry.resolve(name) if self._registry is not None else None
        return ("", "") if candidate is None else (candidate.provider.id, self.model(candidate.model, served=False))

    def identity(self, identity: str) -> str:
        """The name of a gateway key; `other` for callers that the configuration does not name."""
        if not identity or identity in self._keys:
            return identity
        self._folded("identity")
        return OTHER
