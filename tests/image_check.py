"""Runs the Dockerfile's build stage without Docker, and then what it built: `make image-check`.

The stage's commands run as they are, in a scratch folder that stands for the root of the image; the files are those
that COPY and `.dockerignore` let in. The stage after it only makes a user and copies, which is left out.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[1]
_PATHS = re.compile(r"(?<![\w./])/(src|dist|opt/plano)(?=[/\s\"'*]|$)")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        root = Path(folder)
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": folder}
        for step in build_stage(root):
            match step["instruction"]:
                case "COPY":
                    copy(step["value"], root / "src")
                case "ARG":
                    name, _, value = step["value"].partition("=")
                    environment[name] = value
                case "RUN":
                    command = _PATHS.sub(lambda match: f"{folder}/{match[1]}", step["value"])
                    print(f"RUN {command}", flush=True)
                    subprocess.run(["/bin/sh", "-ec", command], cwd=root / "src", env=environment, check=True)
        serve_demo(root)
    print("the image's files were built, and serve")
    return 0


def build_stage(root: Path) -> list[dict[str, Any]]:
    """The instructions after the first FROM, up to the next."""
    (root / "src").mkdir()
    parser = DockerfileParser(str(ROOT / "Dockerfile"), cache_content=True)
    starts = [index for index, step in enumerate(parser.structure) if step["instruction"] == "FROM"]
    stage: list[dict[str, Any]] = parser.structure[starts[0] + 1 : starts[1]]
    return stage


def copy(value: str, target: Path) -> None:
    """COPY with the sources of the checkout."""
    *sources, place = value.split()
    for source in map(ROOT.__truediv__, sources):
        if source.is_dir():
            shutil.copytree(source, target / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / place)


def serve_demo(root: Path) -> None:
    """Start what was built as the image would, with a fake provider, and ask it."""
    programs = root / "opt/plano/bin"
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "PLANO_HOME": str(root / "run")}
    version = subprocess.run(["envoy", "--version"], env=environment, capture_output=True, text=True, check=True)
    print(version.stdout.strip())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports = {"PLANO_ADMIN_PORT": "0", "PLANO_BRIGHTSTAFF_PORT": "0", "PLANO_METRICS_PORT": "0"}
    demo = [programs / "planoctl", "up", "--demo", "--listener-port", str(port), "--workers", "1"]
    subprocess.run(demo, env={**environment, **ports}, cwd=root, check=True)
    try:
        body = {"model": "mock-claude", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20).raise_for_status()
        print(answer.json()["choices"][0]["message"]["content"])
    finally:
        subprocess.run([programs / "planoctl", "down"], env=environment, cwd=root, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
