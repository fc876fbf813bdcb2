from typing import Any

import pytest

from planoctl.config.findings import Report
from planoctl.config.tracing_checks import check_tracing


def findings(tracing: Any) -> list[tuple[str, str, str | None]]:
    report = Report()
    check_tracing({} if tracing is None else {"tracing": tracing}, report)
    return [(each.severity, each.code, each.path) for each in report.findings]


@pytest.mark.parametrize(
    "tracing",
    [
        None,
        {},
        {"span_attributes": {"header_prefixes": ["x-acme-", "X-User"], "static": {"service.team": "a", "env": "b"}}},
        {"exporters": [{"type": "console"}, {"type": "posthog", "url": "$URL", "distinct_id_header": "X-User-Id"},
                       {"type": "otlp_http", "url": "https://c/v1/traces", "headers": {"x-key": "$KEY"}}]},
    ],
)  # fmt: skip
def test_what_makes_sense_has_no_findings(tracing: Any) -> None:
    assert findings(tracing) == []


@pytest.mark.parametrize(
    ("tracing", "finding"),
    [
        ({"span_attributes": {"static": {"llm.model": "x"}}}, ("warning", "reserved-attribute", "static")),
        ({"span_attributes": {"static": {"component": "x"}}}, ("warning", "reserved-attribute", "static")),
        ({"span_attributes": {"header_prefixes": [""]}}, ("warning", "every-header", "header_prefixes[0]")),
        ({"span_attributes": {"header_prefixes": ["a b"]}}, ("error", "invalid-header", "header_prefixes[0]")),
        ({"span_attributes": {"header_prefixes": ["Cookie"]}}, ("warning", "secret-attribute", "header_prefixes[0]")),
        ({"exporters": [{"url": "ftp://x"}]}, ("error", "invalid-exporter-url", "exporters[0].url")),
        ({"exporters": [{"headers": {"x-key": "schlüssel"}}]}, ("error", "invalid-header", "exporters[0].headers")),
        ({"exporters": [{"distinct_id_header": "a:b"}]}, ("error", "invalid-header", "distinct_id_header")),
        ({"exporters": [{"distinct_id_header": "X-Api-Key"}]}, ("warning", "secret-attribute", "distinct_id_header")),
    ],
)
def test_what_does_not_is_said_where_it_stands(tracing: Any, finding: tuple[str, str, str]) -> None:
    ((severity, code, path),) = findings(tracing)
    assert (severity, code) == finding[:2]
    assert finding[2] in (path or "")
