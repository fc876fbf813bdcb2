"""Kubernetes manifests: the pod and what belongs around it. Secrets are referred to by name and never written."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planoctl import __version__
from planoctl.config.deployment import Deployment
from planoctl.config.edge_files import edge_files
from planoctl.config.runtime import Listener
from planoctl.render.clusters import provider_clusters
from planoctl.render.destinations import destinations, is_loopback
from planoctl.render.image import CONFIG
from planoctl.render.pod import Manifest, PodInput, pod_spec, port_name

if TYPE_CHECKING:
    from planoctl.config.pipeline import LoadedConfig

_DNS_PORT, _HTTPS_PORT = 53, 443
_BUSY_PERCENT = 70  # of the processor time that the containers request


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a cluster is told beside the configuration. An autoscaler decides if `max_replicas` is above `replicas`."""

    image: str
    name: str = "plano"
    namespace: str | None = None
    secret: str = "plano-keys"  # noqa: S105 — the name of a Secret
    replicas: int = 2
    max_replicas: int = 10
    drain_seconds: int = 30

    @property
    def tls_secret(self) -> str:
        return f"{self.name}-tls"

    @property
    def autoscaled(self) -> bool:
        return self.max_replicas > self.replicas


def public_listeners(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    """The listeners that other pods reach."""
    return tuple(listener for listener in listeners if not is_loopback(listener.address))


def manifests(
    loaded: "LoadedConfig", text: str, variables: dict[str, bool], deployment: Deployment, site: Site
) -> dict[str, Manifest]:
    """The resources by file name, in the order in which to apply them.

    `text` is the user's file, `variables` its variables and whether each is required; there must be a public listener.
    """
    listeners = public_listeners(loaded.runtime.listeners)
    signed = any(cluster.signed for cluster in provider_clusters(loaded.runtime))
    pod = PodInput(
        config=loaded.runtime,
        deployment=deployment,
        listeners=listeners,
        image=site.image,
        config_map=f"{site.name}-config",
        secret=site.secret,
        variables=variables,
        tls_secret=site.tls_secret,
        files=tuple(edge_files(loaded.runtime.listeners)),
        signed=signed,
        drain_seconds=site.drain_seconds,
    )
    made = {
        "configmap.yaml": _resource("v1", "ConfigMap", pod.config_map, site, data={CONFIG.name: text}),
        "deployment.yaml": _deployment(pod, site),
        "service.yaml": _service(listeners, site),
        "networkpolicy.yaml": _network_policy(loaded, listeners, deployment.ports.metrics, site),
    }
    if site.autoscaled:
        made["horizontalpodautoscaler.yaml"] = _autoscaler(site)
    if site.replicas > 1:
        made["poddisruptionbudget.yaml"] = _disruption_budget(site)
    return made


def kustomization(files: list[str]) -> Manifest:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files}


def create_secret_command(variables: dict[str, bool], site: Site) -> str:
    """The shell command that puts the required variables of the caller's environment into the Secret."""
    namespace = f" --namespace {site.namespace}" if site.namespace else ""
    values = "".join(f' --from-literal={name}="${name}"' for name, required in variables.items() if required)
    return f"kubectl create secret generic {site.secret}{namespace}{values}"


def create_tls_command(files: list[Path], site: Site) -> str:
    """The shell command that makes a Secret of the files that listeners name."""
    namespace = f" --namespace {site.namespace}" if site.namespace else ""
    values = "".join(f" --from-file={file.name}" for file in files)
    return f"kubectl create secret generic {site.tls_secret}{namespace}{values}"


def _selector(site: Site) -> dict[str, str]:
    return {"app.kubernetes.io/name": "plano", "app.kubernetes.io/instance": site.name}


def _resource(version: str, kind: str, name: str, site: Site, **content: object) -> Manifest:
    labels = {**_selector(site), "app.kubernetes.io/version": __version__, "app.kubernetes.io/managed-by": "planoctl"}
    metadata: Manifest = {"name": name, "labels": labels}
    if site.namespace:
        metadata["namespace"] = site.namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _deployment(pod: PodInput, site: Site) -> Manifest:
    selector = _selector(site)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }
    spec: Manifest = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": selector, "annotations": _scraped(pod.deployment)},
            "spec": {**pod_spec(pod), "topologySpreadConstraints": [spread]},
        },
    }
    if not site.autoscaled:  # else each `kubectl apply` would undo the autoscaler's work
        spec = {"replicas": site.replicas, **spec}
    return _resource("apps/v1", "Deployment", site.name, site, spec=spec)


def _scraped(deployment: Deployment) -> dict[str, str]:
    """Where Prometheus finds metrics, as most of its configurations for Kubernetes read it: one path for a pod."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(deployment.ports.metrics),
        "prometheus.io/path": "/metrics/all",
    }


def _service(listeners: tuple[Listener, ...], site: Site) -> Manifest:
    ports = [
        {
            "name": port_name(listener),
            "port": listener.port,
            "targetPort": port_name(listener),
            "appProtocol": "http",
        }
        for listener in listeners
    ]
    return _resource("v1", "Service", site.name, site, spec={"selector": _selector(site), "ports": ports})


def _network_policy(loaded: "LoadedConfig", listeners: tuple[Listener, ...], metrics: int, site: Site) -> Manifest:
    """In: the listeners and the port `metrics`. Out: DNS, HTTPS and the ports that the configuration names, to
    anywhere: hosts change.
    """
    named = {place.port for place in destinations(loaded) if not is_loopback(place.host)}
    dns = [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]
    out = [{"protocol": "TCP", "port": port} for port in sorted({_HTTPS_PORT, *named})]
    open_ports = [*(listener.port for listener in listeners), metrics]
    spec = {
        "podSelector": {"matchLabels": _selector(site)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": port} for port in open_ports]}],
        "egress": [{"ports": dns}, {"ports": out}],
    }
    return _resource("networking.k8s.io/v1", "NetworkPolicy", site.name, site, spec=spec)


def _autoscaler(site: Site) -> Manifest:
    """Shrinking waits: it ends streams that a growing fleet would only miss."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": site.name},
        "minReplicas": site.replicas,
        "maxReplicas": site.max_replicas,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}},
            }
        ],
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            }
        },
    }
    return _resource("autoscaling/v2", "HorizontalPodAutoscaler", site.name, site, spec=spec)


def _disruption_budget(site: Site) -> Manifest:
    spec = {"minAvailable": 1, "selector": {"matchLabels": _selector(site)}}
    return _resource("policy/v1", "PodDisruptionBudget", site.name, site, spec=spec)
