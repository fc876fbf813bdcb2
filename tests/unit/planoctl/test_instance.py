import os
from pathlib import Path

import pytest

from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.instance import MAX_SOCKET_PATH_BYTES, Instance, InstanceBusyError, InstanceNameError, state_home

PORTS = InternalPorts()


def deployment(instance: Instance, workers: int = 1) -> Deployment:
    return instance.deployment(workers=workers, concurrency=1, ports=PORTS, log_level="info")


def test_the_default_instance_lives_in_the_state_folder_itself() -> None:
    instance = Instance.named(None, {"PLANO_HOME": "/srv/plano"})
    assert instance.is_default
    assert instance.run_dir == Path("/srv/plano/run")
    assert instance.default_config_path == Path("/srv/plano/default_config.yaml")
    assert Instance.named("default", {"PLANO_HOME": "/srv/plano"}) == instance


def test_a_named_instance_has_a_folder_of_its_own() -> None:
    assert Instance.named("blue-2", {"PLANO_HOME": "/srv/plano"}).run_dir == Path("/srv/plano/instances/blue-2/run")


def test_without_a_variable_the_state_folder_is_in_the_home_folder() -> None:
    assert state_home({}) == Path.home() / ".plano"
    assert state_home({"PLANO_HOME": "~/elsewhere"}) == Path.home() / "elsewhere"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "Upper", "-a", "a-", "a" * 41, "a b", "ä", ".", "a\n"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InstanceNameError, match="no instance name"):
        Instance.named(name, {})


def test_every_instance_with_a_folder_is_known(tmp_path: Path) -> None:
    environment = {"PLANO_HOME": str(tmp_path)}
    assert [instance.name for instance in Instance.known(environment)] == ["default"]
    for name in ("green", "blue", "No Name"):
        (tmp_path / "instances" / name).mkdir(parents=True)
    assert [instance.name for instance in Instance.known(environment)] == ["default", "blue", "green"]


def test_folders_are_closed_to_others_even_if_they_existed_open(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "instances").mkdir(mode=0o755, parents=True)
    instance = Instance.named("blue", {"PLANO_HOME": str(home)})
    instance.create(deployment(instance))
    folders = [home, home / "instances", instance.folder, instance.run_dir, instance.paths.log_dir]
    assert [oct(path.stat().st_mode & 0o777) for path in folders] == ["0o700"] * 5


def test_sockets_are_in_the_run_folder_while_their_paths_are_short() -> None:
    instance = Instance("default", Path("/srv/plano"))
    assert deployment(instance).worker_socket(0) == Path("/srv/plano/run/extproc-0.sock")


def test_sockets_move_to_a_short_private_folder_when_the_run_folder_is_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    instance = Instance("default", tmp_path / ("deep" * 30))
    first, again = deployment(instance, workers=12), deployment(instance, workers=12)
    assert first.socket_dir == again.socket_dir
    assert first.socket_dir is not None
    assert first.socket_dir.parent == runtime
    assert oct(first.socket_dir.stat().st_mode & 0o777) == "0o700"
    assert first.worker_socket(0).parent == first.brightstaff_socket.parent == first.socket_dir
    if len(str(tmp_path)) < 60:
        assert len(os.fsencode(first.worker_socket(11))) <= MAX_SOCKET_PATH_BYTES


def test_a_short_folder_that_others_can_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    instance = Instance("default", tmp_path / ("deep" * 30))
    folder = deployment(instance).socket_dir
    assert folder is not None
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="open to others"):
        deployment(instance)


def test_only_one_command_at_a_time_works_on_an_instance(tmp_path: Path) -> None:
    instance, other = Instance("default", tmp_path / "a"), Instance("other", tmp_path / "b")
    with instance.lock(), other.lock(), pytest.raises(InstanceBusyError), instance.lock():
        pass
    with instance.lock():
        pass
