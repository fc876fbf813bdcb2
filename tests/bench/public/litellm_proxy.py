"""LiteLLM's proxy: installed into an environment of its own outside the repository, and set up for production.

Its guides ask for one uvicorn worker per instance, a master key (it does not start without), debug logs off,
`LITELLM_MODE=PRODUCTION`, and, for a benchmark, no callbacks and no retries. There is no database, so the master key is
the only one it compares. Prices and the like come from its own package instead of the internet.
"""

import contextlib
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.bench.public.gateways import LITELLM, MODELS, Gateway, Place, process_tree
from tests.bench.servers import ending, free_port, wait_for_port

PINS = Path(__file__).with_name("litellm-pins.txt")
_START_SECONDS = 180.0


@contextlib.contextmanager
def litellm_proxy(place: Place) -> Iterator[Gateway]:
    python = _environment()
    port, key = free_port(), f"sk-{secrets.token_hex(32)}"
    config, log_path = place.folder / "litellm.yaml", place.folder / "litellm.log"
    config.write_text(yaml.safe_dump(_document(place.upstream_port)))
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--num_workers", str(place.workers), "--telemetry", "False"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=place.folder, env=_variables(python, place.folder, key), stdout=log, stderr=log
        )
    with ending(process):
        wait_for_port(port, process, log_path, "LiteLLM", _START_SECONDS)
        yield Gateway(LITELLM, _version(), f"127.0.0.1:{port}", {"litellm": process_tree(process.pid)}, key=key)


def _environment() -> Path:
    """The interpreter of the environment, which is made anew when the pins have changed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plano-bench"
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    folder = cache / f"litellm-{_version()}-{pins}-py{sys.version_info.major}.{sys.version_info.minor}"
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists():
        sys.stderr.write(f"installing LiteLLM {_version()} into {folder}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--only-binary", ":all:", "--requirement", str(PINS)], check=True)
        done.touch()
    return python


def _version() -> str:
    (pin,) = (line for line in PINS.read_text().splitlines() if line.startswith("litellm=="))
    return pin.partition("==")[2]


def _document(upstream_port: int) -> dict[str, object]:
    base = f"http://127.0.0.1:{upstream_port}"
    bases = {"openai": f"{base}/v1", "anthropic": base}
    return {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": {"model": f"{provider}/{model}", "api_base": bases[provider], "api_key": "bench"},
            }
            for provider, model in MODELS.items()
        ],
        "litellm_settings": {
            "callbacks": [],
            "json_logs": True,
            "num_retries": 0,
            "request_timeout": 600,
            "set_verbose": False,
        },
    }


def _variables(python: Path, home: Path, key: str) -> dict[str, str]:
    """Nothing of the user's environment, least of all keys."""
    return {
        "HOME": str(home),
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
        "LITELLM_LOCAL_BLOG_POSTS": "True",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_MODE": "PRODUCTION",
    }
