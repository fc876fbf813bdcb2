"""What can happen to the machine: no memory, no disk, a clock that jumps."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.faults.case import CHAT, Api, Case, Unavailable
from tests.faults.raw import open_socket
from tests.faults.site import KEY, Site
from tests.integration.gateway import free_port
from tests.integration.planoctl_cli import Cli

_MEBIBYTE = 1 << 20
_HOARDERS = 16
_HOARD = 25 * _MEBIBYTE
_GROWTH_LIMIT = 160 * _MEBIBYTE
_FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def memory_runs_short(site: Site, api: Api) -> str:
    """Clients that fill Envoy's heap with half-sent bodies, 400 MiB for a limit of 64; others go on asking."""
    site.next_request(api, site.tight)
    before = psutil.Process(site.tight.envoy.pid).memory_info().rss
    most = before
    words = set()
    with contextlib.ExitStack() as stack:
        for _ in range(_HOARDERS):
            client = stack.enter_context(open_socket(site.tight.port))
            threading.Thread(target=_hoard, args=(client, api), daemon=True).start()
        began = time.monotonic()
        while time.monotonic() - began < 3 and words != {"200", "503 gateway_overloaded"}:
            words.add(site.ask(api, gateway=site.tight))
            most = max(most, psutil.Process(site.tight.envoy.pid).memory_info().rss)
    assert most - before < _GROWTH_LIMIT
    began = time.monotonic()
    while site.ask(api, gateway=site.tight) != "200":
        assert time.monotonic() - began < 5, "the gateway does not recover"
    site.timed(time.monotonic() - began)
    return " or ".join(sorted(words))


def _hoard(client: socket.socket, api: Api) -> None:
    head = f"POST {api.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {_HOARD}\r\n\r\n".encode()
    with contextlib.suppress(OSError):
        client.sendall(head)
        for _ in range(_HOARD // _MEBIBYTE):
            client.sendall(b" " * _MEBIBYTE)
            time.sleep(0.05)


def disk_is_full(site: Site, api: Api) -> str:
    """Not a byte is left for logs and state; a worker and Envoy die meanwhile and come back."""
    with _tiny_disk(site.folder / "disk") as folder:
        cli, port = Cli(folder), free_port()
        cli.write_config(port, site.mock.url)
        try:
            cli.start("up", MOCK_KEY=KEY)
            filler = _fill(folder)
            words = {_asked(site, api, port)}
            for name in ("extproc-0", "brightstaff", "envoy"):
                os.kill(cli.pid_of(name), signal.SIGKILL)
                began = time.monotonic()
                while (answer := _asked(site, api, port)) != "200":
                    assert time.monotonic() - began < 15, f"{name} is not back: {answer}"
                    time.sleep(0.1)
            filler.unlink()
            words.add(_asked(site, api, port))
            cli.start("down")
        finally:
            cli.end()
    site.timed(0)
    return " or ".join(sorted(words))


def _asked(site: Site, api: Api, port: int) -> str:
    return site.ask(api, url=f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def _tiny_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        raise Unavailable("mounting a file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as stream:
        while stream.write(b"x"):
            pass
    return filler


def clock_jumps(site: Site, api: Api) -> str:
    """The wall clock of all processes jumps by a day, forward and back, also in the middle of a request."""
    library = next((found for pattern in _FAKETIME for found in Path("/").glob(pattern[1:])), None)
    if library is None:
        raise Unavailable("libfaketime is needed")
    clock = site.folder / "clock"
    clock.write_text("+0")
    fake = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in fake}
    os.environ.update(fake)
    try:
        gateway = site.unusual
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    words = {site.ask(api, gateway=gateway)}
    for jump in ("+1d", "-1d", "+0"):
        threading.Timer(0.5, clock.write_text, [jump]).start()
        words.add(site.ask(api, "delay=1", gateway=gateway, stream=True))
        words.add(site.ask(api, gateway=gateway))
    site.timed(0)
    return " or ".join(sorted(words))


CASES = [
    Case(
        "Envoy's memory runs short",
        memory_runs_short,
        ("200 or 503 gateway_overloaded", "503 gateway_overloaded"),
        within=10,
        apis=(CHAT,),
        quick=False,
    ),
    Case("The disk for logs and state is full, and processes die", disk_is_full, ("200",), apis=(CHAT,), quick=False),
    Case("The wall clock jumps by a day and back", clock_jumps, ("200",), quick=False),
]  # fmt: skip
