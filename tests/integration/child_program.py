"""A child for supervisor tests: serves HTTP 200 on a port, on demand badly. It imports nothing of ours."""

import argparse
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        return


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="child")
    parser.add_argument("--port", type=int)
    parser.add_argument("--exit", type=int, help="end at once with this code")
    parser.add_argument("--exit-if", type=Path, help="end with code 7 if this file exists")
    parser.add_argument("--journal", type=Path, help="append 'start NAME' and 'stop NAME' here")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--show-environment", help="print this variable")
    arguments = parser.parse_args()
    if arguments.show_environment:
        print(f"{arguments.show_environment}={os.environ.get(arguments.show_environment)}")
    if arguments.exit is not None:
        print("about to give up", file=sys.stderr)
        return int(arguments.exit)
    if arguments.exit_if and arguments.exit_if.exists():
        return 7

    def note(event: str) -> None:
        if arguments.journal:
            with arguments.journal.open("a") as stream:
                stream.write(f"{event} {arguments.name}\n")

    def stop(*_: Any) -> None:
        note("stop")
        os._exit(0)

    signal.signal(signal.SIGTERM, (lambda *_: None) if arguments.ignore_sigterm else stop)
    note("start")
    if arguments.port:
        server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
