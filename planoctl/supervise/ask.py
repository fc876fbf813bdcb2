"""Probes from outside of Python: `python -m planoctl.supervise.ask KIND TARGET [KIND TARGET]…`.

Exit code 0 if all succeed, else 1 and the reason on stderr. Kinds and targets are those of `plan.Probe`. Container
health checks run it every few seconds, so it imports nothing that takes time.
"""

import http.client
import socket
import sys
import urllib.parse
from pathlib import Path

_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    if not arguments or len(arguments) % 2:
        sys.stderr.write("usage: python -m planoctl.supervise.ask KIND TARGET [KIND TARGET]…\n")
        return 2
    for kind, target in zip(arguments[::2], arguments[1::2], strict=True):
        try:
            _ask(kind, target)
        except (OSError, http.client.HTTPException, ValueError) as error:
            sys.stderr.write(f"{kind} {target}: {str(error) or type(error).__name__}\n")
            return 1
    return 0


def _ask(kind: str, target: str) -> None:
    """Raises OSError, HTTPException or ValueError, with the reason."""
    match kind:
        case "file":
            Path(target).stat()
        case "http":
            _ask_http(target)
        case "port":
            host, _, port = target.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
        case "socket" | "greeting":
            _ask_socket(target, greets=kind == "greeting")
        case _:
            raise ValueError("no such kind of probe")


def _ask_http(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path or "/", headers={"connection": "close"})
        status = connection.getresponse().status
        if status != http.client.OK:
            raise ValueError(f"status {status}")
    finally:
        connection.close()


def _ask_socket(path: str, *, greets: bool) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        if greets and not connection.recv(1):
            raise ValueError("closed the connection")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
