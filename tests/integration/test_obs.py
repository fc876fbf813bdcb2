"""`planoctl obs` in a terminal of its own, beside a real collector that real exporters send to."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from functools import partial
from pathlib import Path

import grpc
import pytest

from tests.integration.planoctl_cli import two_ports
from tests.obs_spans import START_NS

SECONDS = 60
_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z~]|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Terminal:
    """A program in a pseudo-terminal; `seen` is all it wrote, without escape sequences."""

    def __init__(self, *arguments: str, home: Path, columns: int = 80, rows: int = 24) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {**os.environ, "PLANO_HOME": str(home), "TERM": "xterm-256color"}
        command = [sys.executable, "-m", "planoctl", *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + SECONDS
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read(0.2)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def ended(self) -> int:
        """The exit code, once the program has ended."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read(0.1)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def _read(self, seconds: float) -> None:
        if select.select([self._master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # how Linux tells that the program has closed the terminal
                self.seen += _ESCAPES.sub("", os.read(self._master, 65536).decode(errors="replace"))


@pytest.fixture
def console(tmp_path: Path) -> Iterator[tuple[Terminal, int]]:
    """The console over a collector that it started itself, and the collector's port."""
    port = two_ports()
    terminal = Terminal("obs", "--port", str(port), "--refresh-ms", "50", home=tmp_path)
    try:
        yield terminal, port
    finally:
        terminal.close()


def _export(port: int, *models: str) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )

    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, model in enumerate(models, start=1):
        start = START_NS + number
        one = spans.add(trace_id=bytes([number] * 16), span_id=bytes([number] * 8), start_time_unix_nano=start)
        one.attributes.add(key="llm.model").value.string_value = model
        one.attributes.add(key="http.status_code").value.int_value = 200
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        export(request, timeout=SECONDS)


def test_exported_calls_appear_and_the_collector_ends_with_the_console(console: tuple[Terminal, int]) -> None:
    terminal, port = console
    terminal.wait_for("waiting for spans")
    _export(port, "model-one", "model-two")
    terminal.wait_for("model-one")
    terminal.wait_for("model-two")
    terminal.press("q")
    assert terminal.ended() == 0
    terminal.wait_for("stopped the trace collector")
    with pytest.raises(grpc.RpcError):
        _export(port, "too-late")


def test_a_second_reader_gets_the_same_calls_as_json(console: tuple[Terminal, int], tmp_path: Path) -> None:
    terminal, port = console
    terminal.wait_for("waiting for spans")
    _export(port, "model-one")
    reader = subprocess.Popen(
        [sys.executable, "-m", "planoctl", "obs", "--port", str(port), "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PLANO_HOME": str(tmp_path)},
        # Whoever runs the tests in the background has it ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert reader.stdout is not None
        assert json.loads(reader.stdout.readline())["model"] == "model-one"
        reader.send_signal(signal.SIGINT)
        assert reader.wait(SECONDS) == 0
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
