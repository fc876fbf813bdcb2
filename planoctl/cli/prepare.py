"""All of a start that touches nothing that is running: check the configuration, the ports and Envoy's opinion."""

import json
from dataclasses import dataclass, replace

from planoctl.cli.configuration import Configuration, demo_configuration, read_configuration
from planoctl.cli.errors import CliError
from planoctl.cli.options import envoy_capacity, internal_ports, usable_cores
from planoctl.cli.tracing import collector_addresses, collectors, collectors_of
from planoctl.config.deployment import Deployment
from planoctl.envoy_binary import EnvoyError, check_version, find_envoy, validate_files
from planoctl.instance import Instance
from planoctl.launch import build_plan, mock_provider, wanted_addresses
from planoctl.port_check import Address, find_conflicts, free_port
from planoctl.supervise.control import Running
from planoctl.supervise.plan import Child, Plan, StartRequest

_MOST_DEFAULT_WORKERS = 8
_PORT_VARIABLES = {
    "brightstaff": "PLANO_BRIGHTSTAFF_PORT",
    "Envoy admin": "PLANO_ADMIN_PORT",
    "metrics": "PLANO_METRICS_PORT",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked start. `envoy_files` (name → text) are still only in memory."""

    instance: Instance
    configuration: Configuration
    deployment: Deployment
    envoy_files: dict[str, str]
    plan: Plan


def prepare(request: StartRequest, instance: Instance, running: Running | None) -> Prepared:
    """Check everything; raises CliError. `running` is the instance that will be replaced: its ports count as free."""
    mock_port = free_port() if request.demo else None
    if mock_port is None:
        configuration = read_configuration(request, instance)
    else:
        configuration = demo_configuration(request, instance, mock_port)
    deployment = _deployment(request, instance)
    mocks = () if mock_port is None else (mock_provider(deployment, mock_port),)
    extra = (*mocks, *collectors(request, deployment, running))
    return _checked(request, instance, running, configuration, deployment, extra)


def prepare_again(instance: Instance, running: Running) -> Prepared:
    """Check the configuration of a running instance as it is now, for the same processes; raises CliError."""
    plan = running.plan
    if plan is None or plan.deployment is None:
        raise CliError("this instance was started by an older version", remedy="run `planoctl restart`")
    if plan.request.demo:
        raise CliError("the demo makes its configuration at its start", remedy="start a gateway with a file")
    configuration = read_configuration(plan.request, instance, known=_known(plan.deployment))
    return _checked(plan.request, instance, running, configuration, plan.deployment, collectors_of(running))


def _known(deployment: Deployment) -> dict[str, str]:
    """The keys that the running processes have: this shell need not have them."""
    try:
        known: dict[str, str] = json.loads(deployment.secrets_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _checked(
    request: StartRequest,
    instance: Instance,
    running: Running | None,
    configuration: Configuration,
    deployment: Deployment,
    extra: tuple[Child, ...],
) -> Prepared:
    from planoctl.render import render_envoy

    config = configuration.loaded.runtime
    _check_ports([*wanted_addresses(config, deployment), *collector_addresses(request, extra)], running)
    instance.create(deployment)
    files = render_envoy(config, deployment)
    try:
        envoy = find_envoy(request.envoy_path)
        version = check_version(envoy)
        validate_files(envoy, files, configuration.loaded.signing)
    except EnvoyError as error:
        raise CliError(str(error), remedy=error.remedy) from error
    plan = build_plan(
        instance.name,
        config,
        deployment,
        envoy=envoy,
        envoy_version=version,
        secret_names=tuple(sorted(configuration.loaded.secrets.keys() | configuration.loaded.hashed)),
        config_file=configuration.file,
        request=request,
        extra=extra,
    )
    return Prepared(instance, configuration, deployment, files, plan)


def _deployment(request: StartRequest, instance: Instance) -> Deployment:
    cores = usable_cores()
    try:
        deployment = instance.deployment(
            workers=request.workers or min(cores, _MOST_DEFAULT_WORKERS),
            concurrency=request.concurrency or cores,
            ports=internal_ports(random=not instance.is_default),
            log_level=request.log_level,
        )
        return replace(deployment, capacity=envoy_capacity())
    except OSError as error:
        raise CliError(
            f"no folder for Unix sockets: {error}",
            remedy="set PLANO_HOME to a shorter path: socket paths are limited to about 100 bytes",
        ) from error


def _check_ports(addresses: list[Address], running: Running | None) -> None:
    """Each address must be free, or held by the instance that will be replaced, and wanted once."""
    seen: dict[int, Address] = {}
    for address in addresses:
        other = seen.setdefault(address.port, address)
        if other is not address and address.purpose in _PORT_VARIABLES:
            raise CliError(
                f"port {address.port} is wanted by {other.purpose} and by {address.purpose}",
                remedy="change the listener's port, or PLANO_BRIGHTSTAFF_PORT, PLANO_ADMIN_PORT or PLANO_METRICS_PORT",
            )
    conflicts = find_conflicts(addresses, ours=running.pids() if running else frozenset())
    if conflicts:
        raise CliError(
            "a port is in use" if len(conflicts) == 1 else "ports are in use",
            details=[f"  • {conflict}" for conflict in conflicts],
            remedy=_port_remedy(conflicts[0].address),
        )


def _port_remedy(address: Address) -> str:
    variable = _PORT_VARIABLES.get(address.purpose)
    if address.purpose.startswith("trace collector"):
        return (
            "stop that process, or choose another port with --tracing-port; to send spans to it, name it in "
            "tracing.opentracing_grpc_endpoint and leave out --with-tracing"
        )
    if variable:
        return f"stop that process, or choose another port with {variable} (0 takes a free one)"
    return "stop that process, or choose another port for the listener (`port:`, or --listener-port without a file)"
