"""Stores of both kinds, and clocks that tests set."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer


class SetClock:
    """Nanoseconds, as tests want them."""

    def __init__(self, now: int = 10**18) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def shared_path(tmp_path: Path) -> Path:
    return tmp_path / "limits"
