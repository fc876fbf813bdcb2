"""Ranking by latency: what a Prometheus server knows, or what the gateway measured itself."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from brightstaff.ranking.fetched import FetchedTable
from brightstaff.ranking.missing import MissingLog
from brightstaff.ranking.observed import ObservedLatency
from brightstaff.ranking.source import Resolve, Source
from planoctl.config.runtime import MetricsSource


class PrometheusLatency(Source):
    """The result of a query, by its label `model_name`, in whatever unit the query has."""

    def __init__(self, source: MetricsSource) -> None:
        self._missing = MissingLog("latency")
        url = f"{(source.url or '').rstrip('/')}/api/v1/query?{urlencode({'query': source.query or ''})}"
        self._result: FetchedTable[dict[str, float]] = FetchedTable(
            url, read_query_result, {}, interval=source.refresh_interval, renewed=self._missing.renewed
        )
        super().__init__(self._result)

    def values(self, models: Sequence[str]) -> dict[str, float]:
        table = self._result.table
        self._missing.note(models, table)
        return {model: table[model] for model in models if model in table}


class OwnLatency(Source):
    """What the gateway measured; a model that it knows nothing of is tried once, else it would never know."""

    def __init__(self, observed: ObservedLatency, resolve: Resolve) -> None:
        super().__init__()
        self._observed = observed
        self._resolve = resolve

    def values(self, models: Sequence[str]) -> dict[str, float]:
        found = {model: self._observed.value(self._name(model)) for model in models}
        return {model: value for model, value in found.items() if value is not None}

    def first(self, models: Sequence[str]) -> str | None:
        names = {self._name(model): model for model in reversed(models)}
        due = self._observed.due([self._name(model) for model in models])
        return None if due is None else names[due]

    def _name(self, model: str) -> str:
        """The name under which latencies are reported."""
        candidate = self._resolve(model)
        return model if candidate is None else candidate.name


def read_query_result(document: Any) -> dict[str, float]:
    """An instant vector of Prometheus' query API, by label `model_name`. Raises ValueError for anything else."""
    data = document.get("data") if isinstance(document, dict) else None
    series = data.get("result") if isinstance(data, dict) else None
    if isinstance(series, list):
        return dict(found for found in map(_sample, series) if found is not None)
    raise ValueError("no list under 'data.result'")


def _sample(series: Any) -> tuple[str, float] | None:
    try:
        return str(series["metric"]["model_name"]), float(series["value"][1])
    except (LookupError, TypeError, ValueError):
        return None
