from pathlib import Path

import pytest

from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.config.edge import ListenerTls
from planoctl.config.runtime import Listener, RuntimeConfig
from planoctl.launch import build_plan, envoy_command, listener_url, mock_provider, service_commands, wanted_addresses
from planoctl.supervise.plan import Plan, StartRequest, read_plan, write_plan

CONFIG = RuntimeConfig(
    version="v0.4.0",
    listeners=(
        Listener(type="model", name="llm", port=12000),
        Listener(type="agent", name="travel", port=8001, address="10.1.2.3"),
    ),
)
DEPLOYMENT = Deployment(
    run_dir=Path("/run/plano"), workers=2, concurrency=3, ports=InternalPorts(7001, 7002), log_level="trace"
)


def plan(config: RuntimeConfig = CONFIG) -> Plan:
    return build_plan(
        "default",
        config,
        DEPLOYMENT,
        envoy=Path("/opt/envoy"),
        envoy_version="1.40.0",
        secret_names=("OPENAI_API_KEY",),
        config_file=Path("/etc/plano.yaml"),
        request=StartRequest(config="/etc/plano.yaml"),
        extra=(mock_provider(DEPLOYMENT, 7003),),
    )


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:12000"),
        ("::", "http://[::1]:12000"),
        ("10.1.2.3", "http://10.1.2.3:12000"),
        ("fd00::7", "http://[fd00::7]:12000"),
        ("gateway.local", "http://gateway.local:12000"),
    ],
)
def test_a_listener_is_probed_where_it_can_be_reached(address: str, url: str) -> None:
    assert listener_url(Listener(type="model", name="llm", port=12000, address=address)) == url


def test_envoy_starts_last_and_stops_first() -> None:
    children = {child.name: child for child in plan().children}
    assert list(children) == ["mock-provider", "brightstaff", "extproc-0", "extproc-1", "envoy"]
    assert [children[name].start_stage for name in children] == [0, 0, 0, 0, 1]
    assert [children[name].stop_rank for name in children] == [0, 1, 2, 2, 3]


def test_envoy_is_ready_when_admin_and_every_listener_answer() -> None:
    envoy = plan().children[-1]
    assert [probe.target for probe in envoy.probes] == [
        "http://127.0.0.1:7002/ready",
        "http://127.0.0.1:12000/healthz",
        "http://10.1.2.3:8001/healthz",
    ]
    assert envoy.drain_admin == "http://127.0.0.1:7002"


def test_a_listener_with_tls_or_a_cap_on_connections_is_only_connected_to() -> None:
    tls = ListenerTls(certificate="/c", private_key="/k")
    capped = Listener(type="model", name="llm", port=12000, max_connections=1)
    secure = Listener(type="agent", name="travel", port=8001, address="10.1.2.3", tls=tls)
    envoy = plan(RuntimeConfig(version="v0.4.0", listeners=(capped, secure))).children[-1]
    assert [(probe.kind, probe.target) for probe in envoy.probes[1:]] == [
        ("port", "127.0.0.1:12000"),
        ("port", "10.1.2.3:8001"),
    ]
    assert listener_url(secure) == "https://10.1.2.3:8001"


def test_commands_name_files_and_never_values_of_secrets() -> None:
    children = {child.name: child for child in plan().children}
    assert children["extproc-1"].argv[2:] == (
        *("-m", "extproc", "--config", "/run/plano/plano_config_rendered.yaml", "--secrets", "/run/plano/secrets.json"),
        *("--applied", "/run/plano/applied/extproc-1.json"),
        *("--socket", "/run/plano/extproc-1.sock", "--brightstaff", "unix:/run/plano/brightstaff.sock"),
        *("--limits", "/run/plano/limits", "--log-level", "debug"),
    )
    assert children["extproc-1"].stale_files == ("/run/plano/extproc-1.sock",)
    assert children["brightstaff"].argv[-12:] == (
        *("--port", "7001", "--metrics", "127.0.0.1:9092", "--envoy-admin", "7002"),
        *("--socket", "/run/plano/brightstaff.sock", "--models", "/run/plano/models.sock"),
        *("--log-level", "debug"),
    )
    assert children["envoy"].argv[:3] == ("/opt/envoy", "-c", "/run/plano/envoy/envoy.yaml")
    assert children["envoy"].argv[4:8] == ("--concurrency", "3", "--log-level", "trace")


def test_every_port_is_checked_before_a_start() -> None:
    assert [(address.host, address.port, address.purpose) for address in wanted_addresses(CONFIG, DEPLOYMENT)] == [
        ("0.0.0.0", 12000, "listener llm"),
        ("10.1.2.3", 8001, "listener travel"),
        ("127.0.0.1", 7001, "brightstaff"),
        ("127.0.0.1", 7002, "Envoy admin"),
        ("127.0.0.1", 9092, "metrics"),
    ]


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(plan(), path)
    assert read_plan(path) == plan()
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_the_commands_to_start_by_hand_are_in_the_order_to_start_them() -> None:
    programs = [command[3] if "-m" in command else command[0] for command in service_commands(DEPLOYMENT)]
    assert programs == ["brightstaff", "extproc", "extproc", "envoy"]


@pytest.mark.parametrize("level", ["debug", "trace"])
def test_no_log_level_makes_envoy_write_headers_into_its_log(level: str) -> None:
    command = envoy_command(Deployment(run_dir=Path("/run/plano"), log_level=level), "envoy")
    quiet = command[command.index("--component-log-level") + 1].split(",")
    assert {"http:info", "http2:info", "router:info", "ext_proc:info"} <= set(quiet)


def test_a_full_gateway_is_not_taken_for_a_dead_one() -> None:
    assert [probe.only_at_start for probe in plan().children[-1].probes] == [False, True, True]
