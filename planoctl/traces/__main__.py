"""`python -m planoctl.traces`: a collector for `planoctl trace listen`, which starts it, or for the supervisor."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

from planoctl.traces.background import remembered
from planoctl.traces.collector import Collector, ListenError, Settings, run_collector


def main() -> int:
    parser = argparse.ArgumentParser(prog="planoctl.traces", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--http-port", type=lambda text: None if text == "off" else int(text), required=True)
    parser.add_argument("--pid-file", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that has the other end")
    arguments = parser.parse_args()
    if arguments.until_stdin_closes:
        threading.Thread(target=_end_with_owner, daemon=True).start()
    with contextlib.ExitStack() as stack:

        def ready(_collector: Collector) -> None:
            if arguments.pid_file is not None:
                stack.enter_context(remembered(arguments.pid_file))

        try:
            settings = Settings(arguments.host, arguments.port, arguments.http_port, keep=arguments.keep)
            run_collector(settings, ready)
        except ListenError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _end_with_owner() -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
