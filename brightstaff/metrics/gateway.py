"""What is known of the whole gateway: its build, its configuration, its reloads, and this process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from planoctl import __version__
from planoctl.config.reloads import read_record


class Gateway(Collector):
    """`digest` gives that of the configuration in force; `run_dir` is where reloads are noted."""

    def __init__(self, digest: Callable[[], str], run_dir: Path) -> None:
        self._digest = digest
        self._run_dir = run_dir
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("brightstaff_build_info", "Always 1.", labels=("version", "git_sha"))
        build.add_metric((__version__, os.environ.get("GIT_SHA") or "unknown"), 1)
        yield build
        config = GaugeMetricFamily("plano_config_info", "Always 1, for the configuration in force.", labels=("digest",))
        config.add_metric((self._digest(),), 1)
        yield config
        record = read_record(self._run_dir)
        reloads = CounterMetricFamily(
            "plano_config_reloads_total", "Changed configurations that were taken up, or not.", labels=("outcome",)
        )
        reloads.add_metric(("success",), record.succeeded if record else 0)
        reloads.add_metric(("failure",), record.failed if record else 0)
        yield reloads
        yield GaugeMetricFamily("process_threads", "Threads of brightstaff.", value=self._process.num_threads())
