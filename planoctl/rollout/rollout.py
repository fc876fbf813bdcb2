"""The order in which a changed configuration comes into force.

1. Clusters: the new ones beside the old ones. 2. Routes and listeners. 3. Sidecar workers and brightstaff, which from
then on name the new clusters. Requests that began before end as they began: the services keep the configuration of each
request with it, Envoy lets replaced listeners finish, and old clusters are retired only later.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from planoctl.config.deployment import Deployment
from planoctl.config.watch import digest_of, read_applied
from planoctl.private_files import write_private
from planoctl.render import write_envoy
from planoctl.render.envoy import BOOTSTRAP
from planoctl.render.xds import CLUSTERS, LISTENERS, discovery_file, is_routes_file, read_resources, version_of
from planoctl.rollout.clusters import with_retired
from planoctl.rollout.envoy_state import EnvoyState, Followed

_ENVOY_SECONDS = 8.0  # two DNS queries of two tries each may time out before a cluster is used without addresses
_SERVICE_SECONDS = 10.0
_POLL_SECONDS = 0.02


class RolloutFailed(Exception):
    """Somebody did not take up the new configuration. Envoy's files are then what they were before."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Everything that the processes read, in memory. `envoy`: texts by file name.

    `read_files`: whose content is part of it, beside the configuration.
    """

    config: str
    secrets: Mapping[str, str]
    envoy: Mapping[str, str]
    read_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds` until everything was in force. `absent`: processes that did not run, and will read the files as they
    start. `restart`: whether something of it needs a restart of Envoy.
    """

    seconds: float
    absent: tuple[str, ...] = ()
    restart: bool = False


def roll_out(rendered: Rendered, deployment: Deployment) -> Outcome:
    """Bring `rendered` into force where `deployment` runs. Raises RolloutFailed, OSError."""
    began = time.monotonic()
    files = [*(deployment.envoy_dir / name for name in rendered.envoy), deployment.secrets_path, deployment.config_path]
    old = {path: path.read_text(encoding="utf-8") for path in files if path.exists()}
    try:
        absent = _roll_envoy(rendered.envoy, deployment) + _roll_services(rendered, deployment)
    except RolloutFailed:
        for path in sorted(old, key=lambda path: path.name == LISTENERS):
            write_private(path, old[path])
        raise
    restart = old.get(deployment.bootstrap_path) != rendered.envoy[BOOTSTRAP]
    return Outcome(time.monotonic() - began, tuple(absent), restart)


def _roll_envoy(files: Mapping[str, str], deployment: Deployment) -> list[str]:
    """Write what Envoy reads, step by step; returns Envoy's name if it does not run."""
    folder = deployment.envoy_dir
    clusters = with_retired(read_resources(files[CLUSTERS]), folder / CLUSTERS, deployment.retired_path)
    files = {**files, CLUSTERS: discovery_file(clusters)}
    changed = {name for name, text in files.items() if _differs(folder / name, text)}
    routes = {_name_of(files[name]): version_of(files[name]) for name in changed if is_routes_file(name)}
    with EnvoyState(f"http://127.0.0.1:{deployment.ports.admin}") as envoy:
        before = envoy.read()
        write_envoy({name: files[name] for name in changed - {LISTENERS}}, folder)
        if before and CLUSTERS in changed:
            taken = envoy.wait_for_clusters(version_of(files[CLUSTERS]), before, _ENVOY_SECONDS)
            _check(taken, envoy, before, "the clusters")
        write_envoy({name: files[name] for name in changed & {LISTENERS}}, folder)
        if before and LISTENERS in changed:
            taken = envoy.wait_for_listeners(version_of(files[LISTENERS]), before, _ENVOY_SECONDS)
            _check(taken, envoy, before, "the listeners")
        if before and routes:
            _check(envoy.wait_for_routes(routes, before, _ENVOY_SECONDS), envoy, before, "the routes")
    return [] if before else ["envoy"]


def _check(taken: bool, envoy: EnvoyState, before: Followed, what: str) -> None:
    """Slowness is no refusal: a cluster whose name cannot be resolved warms for long, and the others work."""
    now = None if taken else envoy.read()
    if now is not None and now.rejected > before.rejected:
        raise RolloutFailed(f"Envoy refused {what}; envoy.log says why")


def _roll_services(rendered: Rendered, deployment: Deployment) -> list[str]:
    """Write what the services read and wait for them; returns those that do not run.

    Values of variables come first, old ones among them: whichever file a service reads in between, it can use.
    """
    old: dict[str, str] = {}
    with suppress(OSError, ValueError):
        old = json.loads(deployment.secrets_path.read_text(encoding="utf-8"))
    exact, both = json.dumps(dict(rendered.secrets)), json.dumps({**old, **rendered.secrets})
    if both != exact:
        write_private(deployment.secrets_path, both)
    write_private(deployment.config_path, rendered.config)
    write_private(deployment.secrets_path, exact)
    return _wait_for_services(digest_of(rendered.config.encode(), exact.encode()), deployment)


def _wait_for_services(digest: str, deployment: Deployment) -> list[str]:
    waiting = {name: deployment.applied_path(name) for name in deployment.service_names}
    deadline = time.monotonic() + _SERVICE_SECONDS
    while waiting and time.monotonic() < deadline:
        for name, path in list(waiting.items()):
            applied = read_applied(path)
            if applied is not None and applied.error is not None and applied.error_digest == digest:
                raise RolloutFailed(f"{name} refused the configuration: {applied.error}")
            if applied is not None and applied.digest == digest:
                del waiting[name]
        time.sleep(_POLL_SECONDS)
    return list(waiting)


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _name_of(routes: str) -> str:
    name: str = read_resources(routes)[0]["name"]
    return name
