"""Documents that are fetched in the background."""

import asyncio
import logging
from typing import Any

import pytest

from brightstaff.ranking.fetched import FetchedTable
from tests.unit.brightstaff.ranking.conftest import DocumentServer


def _read(document: Any) -> dict[str, float]:
    if isinstance(document, dict):
        return document
    raise ValueError("not an object")


async def test_the_first_document_is_there_when_it_has_started(server: DocumentServer) -> None:
    server.document = {"a": 1}
    fetched = FetchedTable(server.url + "/prices?x=1", _read, {})
    await fetched.start()
    assert fetched.table == {"a": 1}
    assert server.targets == ["/prices?x=1"]
    await fetched.stop()


async def test_a_renewed_document_replaces_the_whole_table(server: DocumentServer) -> None:
    server.document = {"a": 1}
    renewals: list[int] = []
    fetched = FetchedTable(server.url, _read, {}, interval=0.01, renewed=lambda: renewals.append(1))
    await fetched.start()
    server.document = {"b": 2}
    await server.times_asked(len(server.targets) + 2)
    assert fetched.table == {"b": 2}
    assert len(renewals) > 1
    await fetched.stop()


@pytest.mark.parametrize(
    ("status", "document"),
    [
        ("500 Oops", {"b": 2}),
        ("404 Not Found", {"b": 2}),
        ("302 Found", {"b": 2}),
        ("200 OK", b"{"),
        ("200 OK", []),
        ("200 OK", b'{"b": 2' + b" " * (33 * 1024 * 1024) + b"}"),
        ("200 OK", None),
    ],
    ids=["500", "404", "redirect to nowhere", "no JSON", "wrong shape", "too large", "closed"],
)
async def test_a_failed_renewal_keeps_the_table(
    server: DocumentServer, caplog: pytest.LogCaptureFixture, status: str, document: Any
) -> None:
    server.document = {"a": 1}
    fetched = FetchedTable(server.url.replace("//", "//user:hunter22@"), _read, {}, interval=0.01)
    await fetched.start()
    server.status, server.document = status, document
    await server.times_asked(len(server.targets) + 2)
    server.status, server.document = "200 OK", {"c": 3}
    kept = fetched.table
    await server.times_asked(len(server.targets) + 2)
    assert kept == {"a": 1}
    assert fetched.table == {"c": 3}
    assert server.url in caplog.text
    assert "hunter22" not in caplog.text
    await fetched.stop()


async def test_a_service_that_is_down_at_the_start_is_asked_until_it_answers(server: DocumentServer) -> None:
    fetched = FetchedTable[dict[str, float]](server.url, _read, {}, retry=0.01)
    await fetched.start()
    assert fetched.table == {}
    server.document = {"a": 1}
    async with asyncio.timeout(30):
        while not fetched.table:
            await asyncio.sleep(0.01)
    asked = len(server.targets)
    await asyncio.sleep(0.1)
    assert len(server.targets) == asked
    await fetched.stop()


@pytest.mark.parametrize("url", ["prom", "http://h:port", "ftp://host/", "http://", "http://127.0.0.1:1"])
async def test_an_address_that_leads_nowhere_is_a_line_of_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    fetched = FetchedTable[dict[str, float]](url, _read, {})
    with caplog.at_level(logging.WARNING):
        await fetched.start()
    assert fetched.table == {}
    assert "cannot fetch" in caplog.text
    await fetched.stop()
