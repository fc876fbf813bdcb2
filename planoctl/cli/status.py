"""`planoctl status`."""

import json
import os
import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import BRAND, say
from planoctl.config.reloads import read_record
from planoctl.instance import Instance

if TYPE_CHECKING:
    from planoctl.supervise.control import Running
    from planoctl.supervise.state import ChildState

_READY, _NOT_READY, _NOT_RUNNING = 0, 1, 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@click.command()
@options.instance
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.verbose
@click.pass_context
def status(context: click.Context, instance: Instance, as_json: bool) -> None:
    """Show processes, listeners and health.

    Exit code 0 if everything is ready, 1 if something is not, 3 if the gateway is not running.
    """
    from planoctl.supervise.control import find_running

    running = find_running(instance.paths)
    report = _report(instance, running) | {"other_instances": _others(instance)}
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        if running is None:
            say(f"Plano is not running (instance {instance.name})")
        else:
            _print(report)
        for other in report["other_instances"]:
            say(f"{'also':<8} instance {other['instance']} runs: {', '.join(other['urls'])}")
    context.exit(_NOT_RUNNING if running is None else _READY if report["ready"] else _NOT_READY)


def _others(instance: Instance) -> list[dict[str, Any]]:
    """The other instances that run under the same state folder, the demo for one."""
    from planoctl.supervise.control import find_running

    found = [(other, find_running(other.paths)) for other in Instance.known(os.environ) if other != instance]
    return [
        {
            "instance": other.name,
            "urls": [listener.url for listener in (running.plan.listeners if running.plan else ())],
        }
        for other, running in found
        if running is not None
    ]


def _report(instance: Instance, running: "Running | None") -> dict[str, Any]:
    """The JSON form. Ages are in seconds, memory in bytes."""
    from planoctl.launch import metrics_url

    if running is None:
        return {"instance": instance.name, "running": False, "ready": False}
    state, plan, last = running.state, running.plan, read_record(instance.run_dir)
    return {
        "instance": instance.name,
        "running": True,
        "ready": state is not None and state.ready,
        "phase": state.phase if state else "starting",
        "config": plan.config if plan else None,
        "reload": None
        if last is None
        else {"ok": last.ok, "age_seconds": time.time() - last.at, "error": last.message},
        "envoy": plan.envoy_version if plan else None,
        "logs": str(instance.paths.log_dir),
        "metrics": metrics_url(plan.deployment) if plan and plan.deployment else None,
        "listeners": [
            {"name": listener.name, "type": listener.type, "url": listener.url}
            for listener in (plan.listeners if plan else ())
        ],
        "processes": [
            {
                "name": "supervisor",
                "pid": running.identity.pid,
                "state": state.phase if state else "starting",
                "uptime_seconds": _age(running.identity.pid),
                "restarts": 0,
                "rss_bytes": _memory(running.identity.pid),
                "last_exit": None,
            },
            *(_process(child) for child in (state.children if state else ())),
        ],
    }


def _process(child: "ChildState") -> dict[str, Any]:
    return {
        "name": child.name,
        "pid": child.pid,
        "state": f"{child.phase}, waiting for {child.waiting_for}" if child.waiting_for else child.phase,
        "uptime_seconds": _age(child.pid),
        "restarts": child.restarts,
        "rss_bytes": _memory(child.pid),
        "last_exit": child.last_exit,
    }


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    from planoctl.cli.console import console

    table = Table(box=None, header_style=f"bold {BRAND}", pad_edge=False)
    for title in ("PROCESS", "PID", "STATE", "UPTIME", "RESTARTS", "MEMORY", "LAST EXIT"):
        table.add_column(title, no_wrap=True, justify="right" if title in {"PID", "RESTARTS", "MEMORY"} else "left")
    for process in report["processes"]:
        table.add_row(
            process["name"],
            str(process["pid"] or "–"),
            process["state"],
            _duration(process["uptime_seconds"]),
            str(process["restarts"]),
            _mebibytes(process["rss_bytes"]),
            process["last_exit"] or "",
        )
    word = "ready" if report["ready"] else f"not ready ({report['phase']})"
    say(f"Plano is running, {word}  ·  instance {report['instance']}  ·  Envoy {report['envoy'] or 'unknown'}")
    say()
    out = console()
    out.print(table, soft_wrap=False, width=max(out.width, 160) if not out.is_terminal else None)
    say()
    for listener in report["listeners"]:
        say(f"{listener['type']:<8} {listener['url']}  ({listener['name']})")
    if report["metrics"] is not None:
        say(f"{'metrics':<8} {report['metrics']}  (Envoy's: {report['metrics']}/envoy)")
    say(f"{'config':<8} {report['config']}")
    if (last := report["reload"]) is not None:
        outcome = "in force" if last["ok"] else f"FAILED, the configuration before it is in force: {last['error']}"
        say(f"{'reload':<8} {_duration(last['age_seconds'])} ago: {outcome}")
    say(f"{'logs':<8} {report['logs']}")


def _age(pid: int | None) -> float | None:
    import psutil

    try:
        return round(time.time() - psutil.Process(pid).create_time(), 1) if pid else None
    except psutil.Error:
        return None


def _memory(pid: int | None) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else None
    except psutil.Error:
        return None


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"


def _mebibytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1024 / 1024:.0f} MiB"
