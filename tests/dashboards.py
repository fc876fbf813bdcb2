"""The provisioned dashboards and alerts as their queries, with Grafana's variables filled in."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

CONFIG = Path(__file__).resolve().parent.parent / "config"
ALERTS = CONFIG / "prometheus" / "alerts.yml"
SCRAPING = CONFIG / "prometheus" / "prometheus.yml"
DASHBOARDS = sorted((CONFIG / "grafana" / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Query:
    """`where` names the panel or the alert."""

    where: str
    text: str


@dataclass(frozen=True)
class Selector:
    """A metric in a query. `matchers`: label, operator, value."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def matches(self, labels: dict[str, str]) -> bool:
        return all(_fits(operator, labels.get(label, ""), value) for label, operator, value in self.matchers)


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard, rows left out."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def panel_queries(interval: str) -> list[Query]:
    """What the panels ask, over `interval` where they leave the time to Grafana."""
    return [
        Query(f"{panel['title']} {target['refId']}", _filled(target["expr"], interval))
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
    ]


def alert_queries() -> list[Query]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [Query(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]


def selectors(query: str) -> Iterator[Selector]:
    """Every metric of a query, with its conditions. Raises ValueError if it does not parse."""
    yield from _selectors(promql_parser.parse(query))


def _selectors(node: Any) -> Iterator[Selector]:
    if isinstance(node, promql_parser.VectorSelector):
        matchers = tuple((each.name, _OPERATORS[str(each.op)], each.value) for each in node.matchers.matchers)
        yield Selector(node.name, matchers)
    for name in ("vector_selector", "expr", "lhs", "rhs"):
        child = getattr(node, name, None)
        if child is not None:
            yield from _selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from _selectors(child)


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _fits(operator: str, value: str, wanted: str) -> bool:
    same = value == wanted if operator in ("=", "!=") else re.fullmatch(wanted, value) is not None
    return same if operator in ("=", "=~") else not same


def _filled(query: str, interval: str) -> str:
    return query.replace("$__rate_interval", interval).replace("$provider", ".*").replace("$model", ".*")
