"""A service takes up changed files, says what is in force, and keeps what it has when new ones are bad."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from planoctl.config.findings import ConfigError
from planoctl.config.runtime import RuntimeConfig
from planoctl.config.watch import ConfigWatch, ServiceFiles, digest_of, read_applied

DOCUMENT = """
version: v0.4.0
model_providers: [{{name: a, provider_interface: openai, model: {model}, access_key: $KEY}}]
"""


class Service:
    """A service's files, and the configurations it was given."""

    def __init__(self, folder: Path) -> None:
        self.config, self.secrets, self.report = (
            folder / "config.yaml",
            folder / "secrets.json",
            folder / "in" / "force",
        )
        self.given: list[RuntimeConfig] = []
        self.write("one", "k1")
        self.watch = ConfigWatch(ServiceFiles(self.config, self.secrets), self.report)

    def write(self, model: str, key: str) -> None:
        self.secrets.write_text(json.dumps({"KEY": key}))
        self.config.write_text(DOCUMENT.format(model=model))

    async def apply(self, config: RuntimeConfig) -> None:
        if config.model_providers[0].model == "explosive":
            raise ZeroDivisionError("bang")
        self.given.append(config)

    @property
    def digest(self) -> str:
        return digest_of(self.config.read_bytes(), self.secrets.read_bytes())

    async def until_applied(self) -> None:
        async with asyncio.timeout(20):
            while (applied := read_applied(self.report)) is None or applied.error or applied.digest != self.digest:
                await asyncio.sleep(0.01)

    async def until_refused(self) -> str:
        async with asyncio.timeout(20):
            while (applied := read_applied(self.report)) is None or applied.error is None:
                await asyncio.sleep(0.01)
            return applied.error


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(tmp_path)
    task = asyncio.create_task(made.watch.run(made.apply))
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_a_service_started_with_is_told_and_not_applied_again(service: Service) -> None:
    await service.until_applied()
    assert service.given == []
    assert service.watch.config.model_providers[0].access_key == "k1"


async def test_a_changed_configuration_is_applied_and_told(service: Service) -> None:
    service.write("two", "k1")
    await service.until_applied()
    assert [config.model_providers[0].model for config in service.given] == ["two"]


async def test_a_changed_key_is_a_change(service: Service) -> None:
    service.write("one", "k2")
    await service.until_applied()
    assert [config.model_providers[0].access_key for config in service.given] == ["k2"]


async def test_the_same_content_written_again_is_no_change(service: Service) -> None:
    service.write("one", "k1")
    await asyncio.sleep(0.5)
    await service.until_applied()
    assert service.given == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense: [", "Not valid YAML"),
        (DOCUMENT.format(model="explosive"), "bang"),
        (DOCUMENT.format(model="x").replace("$KEY", "$UNKNOWN"), "UNKNOWN"),
    ],
)
async def test_a_bad_file_is_refused_with_the_reason_and_a_good_one_after_it_is_taken(
    service: Service, text: str, reason: str
) -> None:
    service.config.write_text(text)
    assert reason in await service.until_refused()
    assert service.given == []
    service.write("three", "k1")
    await service.until_applied()
    assert [config.model_providers[0].model for config in service.given] == ["three"]


async def test_a_file_that_vanishes_and_comes_back_changes_nothing(service: Service) -> None:
    text = service.config.read_text()
    service.config.unlink()
    await service.until_refused()
    service.config.write_text(text)
    await service.until_applied()
    applied = read_applied(service.report)
    assert applied is not None
    assert applied.error is None
    assert service.given == []


async def test_a_report_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    made = Service(tmp_path)
    (tmp_path / "in").write_text("a file where a folder should be")
    task = asyncio.create_task(made.watch.run(made.apply))
    made.write("two", "k1")
    async with asyncio.timeout(20):
        while not made.given:
            await asyncio.sleep(0.01)
    task.cancel()


def test_a_service_does_not_start_with_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("nonsense: [")
    with pytest.raises(ConfigError):
        ConfigWatch(ServiceFiles(tmp_path / "config.yaml"))
