"""A Compose file: one container that runs `planoctl up --foreground`, which supervises the processes."""

import os
from dataclasses import dataclass
from pathlib import Path

from planoctl.config.deployment import Deployment
from planoctl.config.runtime import Listener
from planoctl.launch import probe_command
from planoctl.render.image import CONFIG, USER, VOLATILE
from planoctl.render.pod import Manifest
from planoctl.supervise.plan import DRAIN_SECONDS, Probe

_STOP_MARGIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """`config_file` is the user's file, `folder` where the Compose file will be."""

    name: str
    image: str
    config_file: Path
    folder: Path


def compose_file(
    listeners: tuple[Listener, ...], variables: dict[str, bool], deployment: Deployment, stack: Stack
) -> Manifest:
    """The Compose document. Values of variables are left to the environment of `docker compose` or its `.env`."""
    first = next((item for item in listeners if item.type == "model"), listeners[0])
    ready = Probe(kind="http", target=f"http://127.0.0.1:{first.port}/readyz")
    service = {
        "image": stack.image,
        "command": [
            *("up", "--foreground", str(CONFIG)),
            *("--workers", str(deployment.workers)),
            *("--concurrency", str(deployment.concurrency)),
            *("--log-level", deployment.log_level),
        ],
        "environment": {
            name: f"${{{name}:?set {name}}}" if required else f"${{{name}:-}}" for name, required in variables.items()
        },
        "volumes": [{"type": "bind", "source": _relative(stack), "target": str(CONFIG), "read_only": True}],
        "ports": [f"${{PLANO_BIND:-127.0.0.1}}:{listener.port}:{listener.port}" for listener in listeners],
        "extra_hosts": ["host.docker.internal:host-gateway"],
        "init": True,
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": [f"{VOLATILE}:uid={USER},gid={USER},mode=0700,size=256m", "/tmp:size=256m"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "healthcheck": {
            "test": ["CMD", *probe_command(deployment, (ready,))],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "60s",
            "start_interval": "1s",
        },
        "stop_grace_period": f"{DRAIN_SECONDS + _STOP_MARGIN_SECONDS:.0f}s",
        "restart": "unless-stopped",
    }
    return {"name": stack.name, "services": {"gateway": service}}


def _relative(stack: Stack) -> str:
    path = os.path.relpath(stack.config_file, stack.folder)
    return path if path.startswith("..") else f"./{path}"
