"""The trace collector of `planoctl up --with-tracing`: one that listens already, or one of the instance's own."""

from planoctl.cli.console import success
from planoctl.config.deployment import Deployment
from planoctl.launch import LOOPBACK, trace_collector
from planoctl.port_check import Address
from planoctl.supervise.control import Running
from planoctl.supervise.plan import Child, Plan, StartRequest

_COMPONENT = "trace-collector"


def collectors(request: StartRequest, deployment: Deployment, running: Running | None) -> tuple[Child, ...]:
    """The collector to start, or nothing: it was not asked for, or one that is no part of `running` listens there."""
    from planoctl.traces.background import collector_at

    if request.tracing_port is None:
        return ()
    present = collector_at(LOOPBACK, request.tracing_port)
    if present is not None and (running is None or present not in running.pids()):
        success(f"Trace collector already running on port {request.tracing_port} (PID: {present})")
        return ()
    return (trace_collector(deployment, request.tracing_port),)


def collectors_of(running: Running) -> tuple[Child, ...]:
    """The collector that a running instance has started."""
    return tuple(child for child in running.plan.children if child.component == _COMPONENT) if running.plan else ()


def has_collector(plan: Plan) -> bool:
    """Whether a collector of the instance's own belongs to the plan."""
    return any(child.component == _COMPONENT for child in plan.children)


def forget_traces(deployment: Deployment) -> None:
    """Remove those that a collector of the instance has kept for its next start."""
    deployment.kept_traces_path.unlink(missing_ok=True)


def collector_addresses(request: StartRequest, children: tuple[Child, ...]) -> list[Address]:
    """What the collector among `children` binds."""
    if request.tracing_port is None or not any(child.component == _COMPONENT for child in children):
        return []
    return [
        Address(LOOPBACK, request.tracing_port, "trace collector"),
        Address(LOOPBACK, request.tracing_port + 1, "trace collector, HTTP"),
    ]
