"""A pod without Kubernetes: the containers of a rendered Deployment as processes of this host.

What the manifest says is what happens: exact commands, their order, probes, hooks and signals, and an environment of
nothing but the manifest's and the image's. As root the processes lose all capabilities and become the manifest's user,
if that user can read the program here; volumes belong to somebody else, as in a cluster. Paths differ: a mount path in
an argument becomes the folder that stands for the volume.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from planoctl.envoy_binary import find_envoy
from planoctl.render.image import USER

ROOT = Path(__file__).parents[2]
_POLL_SECONDS = 0.1
_SLOW_HOST_SECONDS = 30
_SOMEBODY_ELSE = 65534

Manifest = dict[str, Any]


class Pod:
    """`folder` holds the volumes and one log per container."""

    def __init__(self, documents: list[Manifest], secrets: Mapping[str, str]) -> None:
        by_kind = {document["kind"]: document for document in documents}
        template = by_kind["Deployment"]["spec"]["template"]
        self.annotations: dict[str, str] = template["metadata"]["annotations"]
        self.spec: Manifest = template["spec"]
        self.folder = Path(tempfile.mkdtemp(prefix="pod-"))
        self.folder.chmod(0o755)
        self._secrets = secrets
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._image = self._make_image()
        self._limits = self._container_limits()
        for volume in self.spec["volumes"]:
            path = self.folder / volume["name"]
            path.mkdir()
            path.chmod(0o2777)  # as kubelet leaves an emptyDir for an fsGroup: writable, and not the gateway's own
            if self._limits:
                os.chown(path, _SOMEBODY_ELSE, USER)
        self.write_config_map(by_kind["ConfigMap"]["data"])

    @property
    def containers(self) -> list[Manifest]:
        """In the order in which they start."""
        return [*self.spec["initContainers"], *self.spec["containers"]]

    def write_config_map(self, data: Mapping[str, str]) -> None:
        """As kubelet does: a new folder, made visible by one rename of a link."""
        volume = self.folder / "config"
        version = Path(tempfile.mkdtemp(prefix="..", dir=volume))
        version.chmod(0o755)
        for name, text in data.items():
            (version / name).write_text(text)
            if not (volume / name).is_symlink():
                (volume / name).symlink_to(Path("..data") / name)
        (volume / "..next").symlink_to(version.name)
        (volume / "..next").rename(volume / "..data")

    def start(self) -> None:
        """Start container by container, each when the one before has passed its startup probe."""
        for container in self.containers:
            self._start(container)

    def kill(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait()

    def restart(self, name: str) -> None:
        """Start a container again that has ended."""
        self._start(next(container for container in self.containers if container["name"] == name))

    def until_envoy_trusts(self, worker: str) -> None:
        """Wait for Envoy's own health check of a sidecar worker."""
        command = self.spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        admin = command[command.index("--admin") + 1]
        deadline = time.monotonic() + _SLOW_HOST_SECONDS
        while f"{worker}.sock::health_flags::healthy" not in httpx.get(f"{admin}/clusters").text:
            assert time.monotonic() < deadline, f"{worker} is not healthy"
            time.sleep(_POLL_SECONDS)

    def probe(self, container: Manifest, kind: str) -> bool:
        probe = container[kind]
        if "exec" in probe:
            return self._spawn(container, probe["exec"]["command"], "probes").wait(_SLOW_HOST_SECONDS) == 0
        place = probe["httpGet"]
        try:
            answer = httpx.get(f"http://127.0.0.1:{place['port']}{place['path']}", timeout=_SLOW_HOST_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.is_success

    def begin_pre_stop(self) -> subprocess.Popen[bytes]:
        (container,) = self.spec["containers"]
        return self._spawn(container, container["lifecycle"]["preStop"]["exec"]["command"], "preStop")

    def terminate(self) -> dict[str, int]:
        """SIGTERM in reverse order of start, each after the end of the one before; exit codes by name."""
        deadline = time.monotonic() + self.spec["terminationGracePeriodSeconds"]
        codes = {}
        for name, process in reversed(self._processes.items()):
            process.send_signal(signal.SIGTERM)
            codes[name] = process.wait(deadline - time.monotonic())
        return codes

    def left(self) -> list[str]:
        """Command lines of processes that still run."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.folder) in line:
                found.append(line)
        return found

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def environment(self, container: Manifest) -> dict[str, str]:
        """What the container sees: the image's variables and the manifest's."""
        found = dict(self._image)
        for entry in container.get("env", ()):
            source = entry.get("valueFrom", {}).get("secretKeyRef")
            value = entry.get("value") if source is None else self._secrets.get(source["key"])
            assert value is not None or source["optional"], f"CreateContainerConfigError: {entry['name']}"
            if value is not None:
                found[entry["name"]] = value
        return found

    def close(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, container: Manifest) -> None:
        name, probe = container["name"], container["startupProbe"]
        self._processes[name] = self._spawn(container, container["command"], name)
        deadline = time.monotonic() + probe["failureThreshold"] * probe["periodSeconds"]
        while not self.probe(container, "startupProbe"):
            assert self._processes[name].poll() is None, f"{name} ended\n{self.log(name)}"
            assert time.monotonic() < deadline, f"{name} did not start\n{self.log(name)}"
            time.sleep(_POLL_SECONDS)

    def _spawn(self, container: Manifest, command: list[str], log: str) -> subprocess.Popen[bytes]:
        places = {mount["mountPath"]: str(self.folder / mount["name"]) for mount in container["volumeMounts"]}
        mounted = re.compile(rf"(?<![^:=])({'|'.join(map(re.escape, places))})(?=/|$)")
        argv = [mounted.sub(lambda match: places[match[1]], argument) for argument in command]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                [*self._limits, *argv],
                cwd="/",
                env={**self.environment(container), "TMPDIR": places["/tmp"]},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _make_image(self) -> dict[str, str]:
        """The image's own variables; `envoy` and `python` are on its PATH."""
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "envoy").symlink_to(find_envoy())
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent)])
        return {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    def _container_limits(self) -> list[str]:
        """The command that takes rights away before it becomes the container's program; empty if this host has none."""
        security = self.spec["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (USER, USER, USER)
        program = shutil.which("setpriv")
        if os.getuid() != 0 or program is None:
            return []
        bare = [program, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        user = [*bare, f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        probe = [*user, "python", "-c", "import planoctl, rich_click"]
        usable = subprocess.run(probe, env=self._image, cwd="/", check=False, capture_output=True).returncode == 0
        return user if usable else bare
