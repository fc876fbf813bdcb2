"""Names of upstream clusters: one per provider, address and Host header, and none that something else has."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hermesllm.providers import PROVIDERS
from planoctl.config.addresses import DEFAULT_PORTS

# Clusters of the gateway itself.
COLLECTOR = "opentelemetry_collector"
RESERVED_CLUSTERS = frozenset({"brightstaff", "extproc", COLLECTOR})


@dataclass(frozen=True, slots=True)
class UpstreamIdentity:
    """Everything that is a property of a cluster. Two providers that differ in any of it need two clusters."""

    provider: str
    host: str
    scheme: str
    port: int
    http_host: str | None = None
    signed: bool = False  # Envoy signs its requests with AWS credentials

    @property
    def name(self) -> str:
        """The short name, `openai_litellm.example.com`."""
        return f"{self.provider}_{self.host}"

    @property
    def full_name(self) -> str:
        """The name that tells apart: with scheme, port, Host header and signing unless they are the usual ones."""
        parts = [self.name]
        if self.scheme != "https":
            parts.append(self.scheme)
        if self.port != DEFAULT_PORTS[self.scheme]:
            parts.append(str(self.port))
        if self.http_host:
            parts.append(self.http_host)
        if self.signed:
            parts.append("signed")
        return "_".join(parts)

    def normalised(self) -> "UpstreamIdentity":
        """A Host header that says what the address says anyway is no difference."""
        same = self.http_host is None or self.http_host.lower() == self.host
        return replace(self, http_host=None if same else self.http_host)


def is_signed(provider_id: str, access_key: str | None, passthrough_auth: bool) -> bool:
    """Whether Envoy signs the requests of an entry: its provider wants that, and no other credential is configured."""
    provider = PROVIDERS.get(provider_id)
    return bool(provider and provider.signed and not passthrough_auth and not (access_key or "").strip())


def aws_region(host: str) -> str | None:
    """The region in `bedrock-runtime.us-east-1.amazonaws.com`, in its FIPS, dual-stack and VPC endpoint forms too."""
    match = re.search(r"\bbedrock-runtime(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d+)\.", host.lower())
    return match[1] if match else None


def cluster_names(identities: Iterable[UpstreamIdentity]) -> dict[UpstreamIdentity, str]:
    """A name for each identity. It depends on which identities there are, never on their order.

    The short name serves where only one upstream would have it; several that share it get their full names.
    """
    normal = {identity: identity.normalised() for identity in identities}
    sharing: dict[str, set[UpstreamIdentity]] = defaultdict(set)
    for identity in normal.values():
        sharing[identity.name].add(identity)
    chosen = {
        identity: identity.name if len(group) == 1 else identity.full_name
        for group in sharing.values()
        for identity in group
    }
    taken: dict[str, list[UpstreamIdentity]] = defaultdict(list)
    for identity, name in chosen.items():
        taken[name].append(identity)
    for name, group in taken.items():
        if len(group) > 1 or name in RESERVED_CLUSTERS:
            chosen |= {identity: f"{name}-{_digest(identity)}" for identity in group}
    return {identity: chosen[normal[identity]] for identity in normal}


def _digest(identity: UpstreamIdentity) -> str:
    parts = [identity.provider, identity.host, identity.scheme, str(identity.port), identity.http_host or ""]
    text = "\n".join([*parts, "signed"] if identity.signed else parts)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
