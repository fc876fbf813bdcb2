"""The pod: one container per process, in the order in which they start, with the commands that `planoctl up` uses.

Native sidecars (`restartPolicy: Always` of init containers, Kubernetes 1.29) start one after the other and are stopped
in reverse order after the main container: Envoy first, brightstaff and the agent last.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planoctl.config.deployment import Deployment
from planoctl.config.runtime import Listener, RuntimeConfig
from planoctl.launch import LOOPBACK, admin_url, agent_command, drain_command, probe_command, rendered_probes, services
from planoctl.render.image import CONFIG, ENVOY, USER, VOLATILE
from planoctl.supervise.plan import Child, Component, Probe

Manifest = dict[str, Any]

DRAIN_AT_LEAST_SECONDS = 5
"""How long load balancers may need to notice that the pod goes."""
_STOP_MARGIN_SECONDS = 30  # sidecars end after Envoy, within the same grace period
_START_SECONDS = 60
_FIRST_UNPRIVILEGED_PORT = 1024
_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")

_RESOURCES: dict[Component | str, Manifest] = {
    "config": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
    "brightstaff": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    "extproc": {"requests": {"cpu": "500m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
    "envoy": {"requests": {"cpu": "500m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
}
"""From docs/performance.md. No limits of processor time: throttling would hold open streams back."""

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_AWS_REGION = "AWS_REGION"
_AWS_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", _AWS_REGION)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInput:
    """`listeners`: those that other pods reach. `variables`: name → required, from the secret called `secret`.

    `files`: certificates and the like that listeners name, all in one folder, from the secret called `tls_secret`.
    `signed`: some provider's requests are signed with the AWS credentials of Envoy's environment.
    """

    config: RuntimeConfig
    deployment: Deployment
    listeners: tuple[Listener, ...]
    image: str
    config_map: str
    secret: str
    variables: dict[str, bool]
    tls_secret: str
    files: tuple[Path, ...]
    signed: bool
    drain_seconds: int


def pod_spec(pod: PodInput) -> Manifest:
    """The `spec` of the pod."""
    *sidecars, envoy = services(pod.config, pod.deployment, ENVOY)
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": pod.drain_seconds + _STOP_MARGIN_SECONDS,
        "securityContext": _pod_security(pod.listeners),
        "initContainers": [_agent(pod), *(_sidecar(child, pod) for child in sidecars)],
        "containers": [_envoy(envoy, pod)],
        "volumes": [
            {"name": "config", "configMap": {"name": pod.config_map}},
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            *([{"name": "tls", "secret": {"secretName": pod.tls_secret, "defaultMode": 0o440}}] if pod.files else []),
        ],
    }


def port_name(listener: Listener) -> str:
    """The listener's name if Kubernetes takes it for a port's, else one of its number."""
    return listener.name if _PORT_NAME.fullmatch(listener.name) else f"port-{listener.port}"


def _pod_security(listeners: tuple[Listener, ...]) -> Manifest:
    security: Manifest = {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    lowest = min(listener.port for listener in listeners)
    if lowest < _FIRST_UNPRIVILEGED_PORT:
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": str(lowest)}]
    return security


def _container(name: str, component: str, command: tuple[str, ...], pod: PodInput) -> Manifest:
    return {
        "name": name,
        "image": pod.image,
        "command": list(command),
        "resources": _RESOURCES[component],
        "securityContext": _SECURITY,
        "volumeMounts": [
            {"name": "run", "mountPath": str(VOLATILE)},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a volume of the pod's own
        ],
    }


def _agent(pod: PodInput) -> Manifest:
    """The only container that sees the keys' variables and the user's file."""
    deployment = pod.deployment
    container = _container("config", "config", agent_command(deployment, CONFIG), pod)
    settings = {
        "LOG_LEVEL": deployment.log_level,
        "PLANO_ACCESS_LOG": deployment.access_log,
        "PLANO_ADMIN_PORT": str(deployment.ports.admin),
        "PLANO_BRIGHTSTAFF_PORT": str(deployment.ports.brightstaff),
    }
    container["restartPolicy"] = "Always"
    container["env"] = [
        *({"name": name, "value": value} for name, value in settings.items()),
        *(_from_secret(name, pod.secret, required=required) for name, required in pod.variables.items()),
    ]
    if pod.signed and _AWS_REGION not in pod.variables:
        container["env"].append(_from_secret(_AWS_REGION, pod.secret, required=False))
    container["volumeMounts"].append({"name": "config", "mountPath": str(CONFIG.parent), "readOnly": True})
    container["volumeMounts"] += _mounted_files(pod)
    container["startupProbe"] = _at_start(rendered_probes(deployment), pod)
    return container


def _mounted_files(pod: PodInput) -> list[Manifest]:
    return [{"name": "tls", "mountPath": str(pod.files[0].parent), "readOnly": True}] if pod.files else []


def _sidecar(child: Child, pod: PodInput) -> Manifest:
    container = _container(child.name, child.component, child.argv, pod)
    if child.component == "brightstaff":
        container["ports"] = [{"name": "metrics", "containerPort": pod.deployment.ports.metrics}]
    container["restartPolicy"] = "Always"
    container["startupProbe"] = _at_start(child.probes, pod)
    container["livenessProbe"] = {**_exec(child.probes, pod), "periodSeconds": 15, "failureThreshold": 3}
    return container


def _envoy(child: Child, pod: PodInput) -> Manifest:
    container = _container("envoy", "envoy", child.argv, pod)
    first = next((item for item in pod.listeners if item.type == "model"), pod.listeners[0])
    ready, alive = _listener_probe(first, "/readyz", pod), _listener_probe(first, "/healthz", pod)
    container["volumeMounts"] += _mounted_files(pod)
    drain = drain_command(pod.deployment, seconds=pod.drain_seconds, at_least=DRAIN_AT_LEAST_SECONDS)
    if pod.signed:
        container["env"] = [_from_secret(name, pod.secret, required=False) for name in _AWS_VARIABLES]
    return {
        **container,
        "ports": [{"name": port_name(listener), "containerPort": listener.port} for listener in pod.listeners],
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": _START_SECONDS},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 1},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 3},
        "lifecycle": {"preStop": {"exec": {"command": list(drain)}}},
    }


def _listener_probe(listener: Listener, path: str, pod: PodInput) -> Manifest:
    """Kubernetes has no client certificate, so where one is wanted the admin interface and brightstaff are asked."""
    tls = listener.tls
    if tls is not None and tls.client_ca is not None and tls.require_client_certificate is not False:
        service = f"http://{LOOPBACK}:{pod.deployment.ports.brightstaff}/readyz"
        asked = [Probe(kind="http", target=f"{admin_url(pod.deployment)}/ready")]
        asked += [Probe(kind="http", target=service)] if path == "/readyz" else []
        return _exec(tuple(asked), pod)
    get: Manifest = {"path": path, "port": listener.port}
    if tls is not None:
        get["scheme"] = "HTTPS"
    return {"httpGet": get, "timeoutSeconds": 3}


def _from_secret(name: str, secret: str, *, required: bool) -> Manifest:
    reference: Manifest = {"name": secret, "key": name}
    if not required:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _at_start(probes: tuple[Probe, ...], pod: PodInput) -> Manifest:
    return {**_exec(probes, pod), "periodSeconds": 1, "failureThreshold": _START_SECONDS}


def _exec(probes: tuple[Probe, ...], pod: PodInput) -> Manifest:
    return {"exec": {"command": list(probe_command(pod.deployment, probes))}, "timeoutSeconds": 5}
