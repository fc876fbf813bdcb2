"""Turns a configuration and a deployment into the plan of the processes that serve it."""

import ipaddress
from pathlib import Path

from msgspec import structs

from planoctl.config.deployment import Deployment
from planoctl.config.edge_files import key_set_files
from planoctl.config.runtime import Listener, RuntimeConfig
from planoctl.config.signing import SIGNING_VARIABLES, signs
from planoctl.port_check import Address
from planoctl.supervise.plan import Child, ListenerView, Plan, Probe, StartRequest

LOOPBACK = "127.0.0.1"
_LOG_FLUSH_MILLISECONDS = 500  # Envoy's own is ten seconds: too long for who looks for a request
_LONGEST_STREAM_SECONDS = 3600
_DISCREET = ",".join(f"{name}:info" for name in ("http", "http2", "router", "ext_proc", "aws", "lua", "client"))


def listener_url(listener: Listener) -> str:
    """Where a client on this host reaches the listener."""
    return f"{'https' if listener.tls else 'http'}://{_reachable(listener.address)}:{listener.port}"


def _listener_probe(listener: Listener) -> Probe:
    """Over TLS, and where connections are counted, it is enough that Envoy listens: the admin interface tells more."""
    if listener.tls is not None or listener.max_connections is not None:
        return Probe(kind="port", target=f"{_reachable(listener.address)}:{listener.port}", only_at_start=True)
    return Probe(kind="http", target=f"{listener_url(listener)}/healthz", only_at_start=True)


def wanted_addresses(config: RuntimeConfig, deployment: Deployment) -> list[Address]:
    """Every TCP address the instance will bind."""
    return [
        *(Address(item.address, item.port, f"listener {item.name}") for item in config.listeners),
        Address(LOOPBACK, deployment.ports.brightstaff, "brightstaff"),
        Address(LOOPBACK, deployment.ports.admin, "Envoy admin"),
        Address(deployment.ports.metrics_host, deployment.ports.metrics, "metrics"),
    ]


def build_plan(
    instance: str,
    config: RuntimeConfig,
    deployment: Deployment,
    *,
    envoy: Path,
    envoy_version: str,
    secret_names: tuple[str, ...],
    config_file: Path,
    request: StartRequest,
    extra: tuple[Child, ...] = (),
) -> Plan:
    """The plan: sidecar workers and brightstaff first, then Envoy; stopped in the order Envoy, sidecar, brightstaff."""
    own = services(config, deployment, str(envoy))
    if signs(config):
        env_file = request.env_file or str(config_file.parent / ".env")
        own = tuple(_with_credentials(child, env_file, secret_names) for child in own)
    children = (*extra, *own)
    return Plan(
        instance=instance,
        run_dir=str(deployment.run_dir),
        children=children,
        listeners=tuple(
            ListenerView(name=item.name, type=item.type, url=listener_url(item)) for item in config.listeners
        ),
        ports=tuple(address.port for address in wanted_addresses(config, deployment)),
        hidden_environment=secret_names,
        envoy_version=envoy_version,
        config=str(config_file),
        read_files=tuple(map(str, key_set_files(config.listeners))),
        drain_seconds=request.drain_seconds,
        request=request,
        deployment=deployment,
    )


def _with_credentials(child: Child, env_file: str, hidden: tuple[str, ...]) -> Child:
    """Envoy signs by its environment, which in itself has nothing of the env file. The plan holds names, no values."""
    if child.component != "envoy":
        return child
    names = tuple(name for name in SIGNING_VARIABLES if name not in hidden)
    return structs.replace(child, env_file=env_file, env_file_names=names)


def services(config: RuntimeConfig, deployment: Deployment, envoy: str) -> tuple[Child, ...]:
    """The processes that serve a configuration, in the order in which they start; `envoy` is the binary."""
    workers = (_worker(deployment, index) for index in range(deployment.workers))
    return (_brightstaff(deployment), *workers, _envoy(config, deployment, envoy))


def agent_command(deployment: Deployment, config_file: Path) -> tuple[str, ...]:
    """What renders the configuration for processes that something else supervises, and renews it when it changes."""
    return (
        *_module(deployment, "planoctl"),
        *("agent", "--config", str(config_file)),
        *("--run-dir", str(deployment.run_dir)),
        *("--workers", str(deployment.workers)),
        *("--concurrency", str(deployment.concurrency)),
    )


def drain_command(deployment: Deployment, *, seconds: float, at_least: float) -> tuple[str, ...]:
    """What lets Envoy finish its requests before it is stopped."""
    return (
        *_module(deployment, "planoctl"),
        *("drain", "--admin", admin_url(deployment)),
        *("--seconds", f"{seconds:g}"),
        *("--at-least", f"{at_least:g}"),
    )


def probe_command(deployment: Deployment, probes: tuple[Probe, ...]) -> tuple[str, ...]:
    """A program that ends with 0 if all `probes` succeed, for health checks from outside of Python."""
    questions = (part for probe in probes for part in (probe.kind, probe.target))
    return (*_module(deployment, "planoctl.supervise.ask"), *questions)


def rendered_probes(deployment: Deployment) -> tuple[Probe, ...]:
    """Whether everything that the services read has been written."""
    files = (deployment.config_path, deployment.secrets_path, deployment.envoy_dir / "lds.yaml")
    return tuple(Probe(kind="file", target=str(file)) for file in files)


def admin_url(deployment: Deployment) -> str:
    return f"http://{LOOPBACK}:{deployment.ports.admin}"


def metrics_url(deployment: Deployment) -> str:
    """Where this host reads the gateway's metrics."""
    return f"http://{_reachable(deployment.ports.metrics_host)}:{deployment.ports.metrics}/metrics"


def service_commands(deployment: Deployment) -> list[tuple[str, ...]]:
    """How to start everything by hand, in order."""
    workers = [_worker(deployment, index).argv for index in range(deployment.workers)]
    return [_brightstaff(deployment).argv, *workers, envoy_command(deployment, "envoy")]


def mock_provider(deployment: Deployment, port: int) -> Child:
    """A provider that answers without a model, for the demo."""
    return Child(
        name="mock-provider",
        component="mock-provider",
        argv=(*_module(deployment, "planoctl"), "mock-provider", "--port", str(port)),
        log=str(deployment.log_dir / "mock-provider.log"),
        probes=(Probe(kind="port", target=f"{LOOPBACK}:{port}"),),
    )


def trace_collector(deployment: Deployment, port: int) -> Child:
    """A collector of traces; it stops last, so that it gets the spans that the others send when they stop."""
    from planoctl.traces.background import command
    from planoctl.traces.collector import Settings

    return Child(
        name="trace-collector",
        component="trace-collector",
        argv=command(Settings(LOOPBACK, port, port + 1, keep=deployment.kept_traces_path)),
        log=str(deployment.log_dir / "trace-collector.log"),
        probes=(Probe(kind="port", target=f"{LOOPBACK}:{port}"),),
    )


def _worker(deployment: Deployment, index: int) -> Child:
    socket = str(deployment.worker_socket(index))
    return Child(
        name=f"extproc-{index}",
        component="extproc",
        argv=(
            *_service("extproc", f"extproc-{index}", deployment),
            "--socket",
            socket,
            *_asks(deployment),
            *("--limits", str(deployment.limits_path)),
            "--log-level",
            _python_level(deployment),
        ),
        log=str(deployment.log_dir / f"extproc-{index}.log"),
        probes=(Probe(kind="greeting", target=socket),),
        stale_files=(socket,),
        stop_rank=2,
    )


def _asks(deployment: Deployment) -> tuple[str, str]:
    return ("--brightstaff", f"unix:{deployment.brightstaff_socket}")


def _brightstaff(deployment: Deployment) -> Child:
    port = deployment.ports.brightstaff
    return Child(
        name="brightstaff",
        component="brightstaff",
        argv=(
            *_service("brightstaff", "brightstaff", deployment),
            *("--port", str(port)),
            *("--metrics", str(deployment.ports.metrics_address)),
            *("--envoy-admin", str(deployment.ports.admin)),
            *("--socket", str(deployment.brightstaff_socket)),
            *("--models", str(deployment.models_socket)),
            *("--log-level", _python_level(deployment)),
        ),
        log=str(deployment.log_dir / "brightstaff.log"),
        probes=(Probe(kind="http", target=f"http://{LOOPBACK}:{port}/healthz"),),
        stale_files=(str(deployment.brightstaff_socket),),
        stop_rank=1,
    )


def _envoy(config: RuntimeConfig, deployment: Deployment, binary: str) -> Child:
    admin = admin_url(deployment)
    listeners = dict.fromkeys(_listener_probe(listener) for listener in config.listeners)
    return Child(
        name="envoy",
        component="envoy",
        argv=envoy_command(deployment, binary),
        log=str(deployment.log_dir / "envoy.log"),
        probes=(Probe(kind="http", target=f"{admin}/ready"), *listeners),
        start_stage=1,
        stop_rank=3,
        drain_admin=admin,
    )


def envoy_command(deployment: Deployment, binary: str) -> tuple[str, ...]:
    """How Envoy is started.

    Hot restart is off: it is never used, and its shared memory would outlive each start. The component `main` is quiet
    because it lists every extension at each start; those that write headers and bodies into their log, keys included,
    never say more than `info`. The drain time is that of listeners which a changed configuration replaces: their
    connections end with the answer to their next request, and what streams even then is cut. `misc` would say at each
    start and reload which of Envoy's extensions are young.
    """
    quiet = "main:warning,misc:error" if deployment.log_level == "info" else _DISCREET
    return (
        binary,
        *("-c", str(deployment.bootstrap_path)),
        "--disable-hot-restart",
        *("--concurrency", str(deployment.concurrency)),
        *("--log-level", deployment.log_level),
        *("--component-log-level", quiet),
        *("--drain-time-s", f"{_LONGEST_STREAM_SECONDS}", "--drain-strategy", "immediate"),
        *("--file-flush-interval-msec", f"{_LOG_FLUSH_MILLISECONDS}"),
    )


def _module(deployment: Deployment, name: str) -> tuple[str, ...]:
    """-P: a folder of the user that is called `extproc` must not take the place of ours."""
    return (deployment.python, "-P", "-m", name)


def _service(module: str, name: str, deployment: Deployment) -> tuple[str, ...]:
    return (
        *_module(deployment, module),
        *("--config", str(deployment.config_path)),
        *("--secrets", str(deployment.secrets_path)),
        *("--applied", str(deployment.applied_path(name))),
    )


def _python_level(deployment: Deployment) -> str:
    return "debug" if deployment.log_level == "trace" else deployment.log_level


def _reachable(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.is_unspecified:
        return "[::1]" if parsed.version == 6 else LOOPBACK
    return f"[{address}]" if parsed.version == 6 else address
