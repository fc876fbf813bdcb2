"""Affinities in a real server, and what becomes of them when it fails."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from redis.asyncio import Redis

from brightstaff.affinity import Affinity, RedisStore, open_store
from planoctl.config.runtime import Routing, SessionCache
from planoctl.port_check import free_port
from tests.redis_server import RedisServer, tls_in_front_of

_CODE = Affinity(("openai/gpt-4o", "openai/gpt-4o-mini"), "code")
_PASSWORD = "hunter22"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), password=_PASSWORD) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may stop."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
async def raw(shared_server: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(shared_server.url)
    await client.flushall()
    yield client
    await client.aclose()


class _Watched:
    """A store and what it reported."""

    def __init__(self, url: str, *, ttl: int = 600, patience: float = 2.0) -> None:
        self.events: list[str] = []
        self.store = RedisStore(url, self.events.append, ttl=ttl, patience=patience)

    async def __aenter__(self) -> "_Watched":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    async def usable_again(self) -> None:
        async with asyncio.timeout(30):
            while True:
                await self.store.put("probe", _CODE)
                if self.events[-1] == "store":
                    return
                await asyncio.sleep(0.05)


async def test_what_was_stored_is_found_by_another_gateway(shared_server: RedisServer, raw: Redis) -> None:
    async with _Watched(shared_server.url) as one, _Watched(shared_server.url) as other:
        await one.store.put("s1", _CODE)
        assert await other.store.get("s1") == _CODE
        assert await other.store.get("s2") is None
    assert (one.events, other.events) == (["store"], ["hit", "miss"])
    assert await raw.keys("*") == [b"plano:affinity:s1"]


@pytest.mark.parametrize(("ttl", "kept"), [(90, 90), (1, 1), (0, 1)])
async def test_an_entry_has_its_time_to_live(shared_server: RedisServer, raw: Redis, ttl: int, kept: int) -> None:
    async with _Watched(shared_server.url, ttl=ttl) as watched:
        await watched.store.put("s1", _CODE)
    assert kept - 2 < await raw.ttl("plano:affinity:s1") <= kept


@pytest.mark.parametrize(
    "stored",
    [b"", b"\xff\xfe", b"{", b"null", b"[]", b'{"models": "gpt"}', b'{"models": [1]}', b'{"models": []}', b'{"a": 1}'],
)
async def test_what_cannot_be_read_is_a_miss(shared_server: RedisServer, raw: Redis, stored: bytes) -> None:
    await raw.set("plano:affinity:s1", stored)
    async with _Watched(shared_server.url) as watched:
        assert await watched.store.get("s1") is None
    assert watched.events == ["miss"]


async def test_a_key_that_holds_something_else_is_a_miss_and_is_overwritten(
    shared_server: RedisServer, raw: Redis
) -> None:
    await raw.rpush("plano:affinity:s1", "x")
    async with _Watched(shared_server.url) as watched:
        assert await watched.store.get("s1") is None
        await watched.store.put("s1", _CODE)
        assert await watched.store.get("s1") == _CODE
    assert watched.events == ["miss", "store", "hit"]


async def test_many_requests_at_once_share_few_connections(shared_server: RedisServer, raw: Redis) -> None:
    async with _Watched(shared_server.url) as watched:
        await watched.store.put("s1", _CODE)
        found = await asyncio.gather(*(watched.store.get("s1") for _ in range(500)))
        clients = [client for client in await raw.client_list() if client["cmd"] == "get"]
    assert found == [_CODE] * 500
    assert 0 < len(clients) <= 32


async def test_a_store_comes_back_by_itself_after_a_restart(own_server: RedisServer) -> None:
    async with _Watched(own_server.url) as watched:
        await watched.store.put("s1", _CODE)
        own_server.stop()
        assert await watched.store.get("s1") is None
        await watched.store.put("s1", _CODE)
        assert not await watched.store.ready()
        own_server.start()
        await watched.usable_again()
        await watched.store.put("s1", _CODE)
        assert await watched.store.get("s1") == _CODE
        assert await watched.store.ready()
    assert watched.events[:3] == ["store", "error", "store_error"]


async def test_a_restart_between_two_requests_fails_neither(own_server: RedisServer) -> None:
    async with _Watched(own_server.url) as watched:
        await watched.store.put("s1", _CODE)
        own_server.stop()
        own_server.start()
        await watched.store.put("s1", _CODE)
        assert await watched.store.get("s1") == _CODE
    assert watched.events == ["store", "store", "hit"]


async def test_only_the_first_request_waits_for_a_server_that_hangs(own_server: RedisServer) -> None:
    async with _Watched(own_server.url, patience=0.3) as watched:
        await watched.store.put("s1", _CODE)
        own_server.freeze()
        assert await watched.store.get("s1") is None
        for _ in range(2000):  # ten minutes, if each of them waited
            assert await watched.store.get("s1") is None
        own_server.thaw()
        await watched.usable_again()
        assert await watched.store.get("s1") == _CODE
    assert watched.events[1:2002] == ["error"] * 2001


async def test_a_late_answer_is_not_taken_for_that_to_another_question(own_server: RedisServer) -> None:
    values = {f"s{number}": Affinity((f"model-{number}",)) for number in range(20)}
    async with _Watched(own_server.url, patience=0.2) as watched:
        for key, value in values.items():
            await watched.store.put(key, value)
        own_server.freeze()
        await asyncio.gather(*(watched.store.get(key) for key in values))
        own_server.thaw()
        await watched.usable_again()
        assert {key: await watched.store.get(key) for key in values} == values


async def test_a_server_that_is_not_there_is_an_error_and_no_exception() -> None:
    async with _Watched(f"redis://127.0.0.1:{free_port()}") as watched:
        assert await watched.store.get("s1") is None
        await watched.store.put("s1", _CODE)
        assert not await watched.store.ready()
    assert watched.events == ["error", "store_error"]


async def test_a_wrong_password_is_an_error_that_the_log_names_without_it(
    shared_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = shared_server.url.replace(_PASSWORD, "wrong-secret")
    with caplog.at_level(logging.INFO):
        async with _Watched(url) as watched:
            assert await watched.store.get("s1") is None
    assert watched.events == ["error"]
    assert f"redis://127.0.0.1:{shared_server.port}/0" in caplog.text
    assert "wrong-secret" not in caplog.text


async def test_an_outage_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with _Watched(f"redis://127.0.0.1:{free_port()}") as watched:
        for _ in range(50):
            await watched.store.get("s1")
    assert len(caplog.records) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_port(shared_server: RedisServer, authority: trustme.CA) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with tls_in_front_of(shared_server.port, context) as port:
        yield port


async def test_a_rediss_url_is_spoken_to_over_tls(
    shared_server: RedisServer, raw: Redis, authority: trustme.CA, tls_port: int, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    query = f"?ssl_ca_certs={tmp_path / 'ca.pem'}"
    url = shared_server.url_with(scheme="rediss", host="localhost", port=tls_port, query=query)
    async with _Watched(url) as watched:
        assert await watched.store.ready()
        await watched.store.put("s1", _CODE)
        assert await watched.store.get("s1") == _CODE
    assert watched.events == ["store", "hit"]
    assert await raw.exists("plano:affinity:s1")


async def test_the_authorities_of_the_system_are_those_that_count_by_default(
    shared_server: RedisServer,
    authority: trustme.CA,
    tls_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    url = shared_server.url_with(scheme="rediss", host="localhost", port=tls_port)
    async with _Watched(url) as watched:
        assert await watched.store.get("s1") is None
    assert watched.events == ["error"]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with _Watched(url) as watched:
        assert await watched.store.ready()


async def test_a_certificate_for_another_name_is_refused(
    shared_server: RedisServer, authority: trustme.CA, tls_port: int, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    query = f"?ssl_ca_certs={tmp_path / 'ca.pem'}"
    async with _Watched(shared_server.url_with(scheme="rediss", port=tls_port, query=query)) as watched:
        assert not await watched.store.ready()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://:hunter22@cache",
        "redis://:hunter22@cache:port",
        "redis://:hunter22@cache?db=x",
        "redis://:hunter22@cache?unheard_of=1",
        "rediss://:hunter22@cache?ssl_cert_reqs=maybe",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_its_password(url: str) -> None:
    routing = Routing(session_cache=SessionCache(type="redis", url=url))
    with pytest.raises(ValueError, match=r"session_cache\.url is not a usable Redis URL") as refused:
        open_store(routing, lambda _: None)
    assert "hunter22" not in str(refused.value)


async def test_the_configuration_chooses_redis(shared_server: RedisServer, raw: Redis) -> None:
    cache = SessionCache(type="redis", url=shared_server.url)
    store = open_store(Routing(session_ttl_seconds=33, session_cache=cache), lambda _: None)
    await store.put("s1", _CODE)
    assert 31 <= await raw.ttl("plano:affinity:s1") <= 33
    await store.close()
