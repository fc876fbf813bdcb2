"""Who sends a request: gateway keys, verified tokens, client certificates. Decided before a body is read.

Keys are known by their SHA-256 alone. Finding one by its digest takes a time that says nothing of the keys.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.protobuf import struct_pb2

from extproc import replies
from extproc.errors import ConfigurationChanged, TokenKeysUnavailable, Unauthenticated
from hermesllm.formats import Format
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import (
    CLIENT_KEY,
    CREDENTIAL_HEADERS,
    EDGE,
    IDENTITY,
    JWT_CLAIMS,
    JWT_FAILURE,
    JWT_NAMESPACE,
)
from planoctl.config.runtime import Listener, Overrides

_ATTRIBUTES = "envoy.filters.http.ext_proc"
_LONGEST_IDENTITY = 256
_NO_KEY_SET = ("jwks remote fetch", "jwks fetch", "jwks doesn't have")


@dataclass(frozen=True, slots=True)
class Edge:
    """What a listener asks of a request. `keys`: callers by SHA-256; `claim` names the caller in a token.

    `limit` is the largest body in bytes.
    """

    name: str
    keys: Mapping[bytes, str]
    claim: str | None
    guarded: bool
    certificates: bool
    limit: int

    @classmethod
    def of(cls, listener: Listener, overrides: Overrides) -> "Edge":
        auth = listener.auth
        return cls(
            name=listener.name,
            keys={bytes.fromhex(key.sha256): key.name for key in auth.keys} if auth else {},
            claim=auth.jwt.identity_claim if auth and auth.jwt else None,
            guarded=auth is not None,
            certificates=listener.tls is not None and listener.tls.client_ca is not None,
            limit=listener.max_request_bytes or overrides.max_request_bytes,
        )

    @property
    def accepted(self) -> str:
        """What a client may present, in words."""
        words = [word for word, used in (("a key of this gateway", self.keys), ("a token", self.claim)) if used]
        return " or ".join(words)


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may go on. `removed` are the headers that held the gateway's credential.

    `only`: the body will not come here, and nothing else of the request is the sidecar's.
    """

    edge: Edge | None
    identity: str | None
    removed: tuple[str, ...]
    only: bool

    def reply(self) -> bytes:
        """The reply to the request's headers, on the way to a provider."""
        if self.identity is None and not self.removed:
            return replies.CONTINUE_REQUEST_HEADERS
        return replies.request_headers({}, self.removed, self._metadata())

    def reply_for_service(self) -> bytes:
        """The same on the way to brightstaff, which may know the caller."""
        told = {} if self.identity is None else {IDENTITY: quote(self.identity)}
        return replies.request_headers(told, (*self.removed, EDGE), self._metadata())

    def _metadata(self) -> dict[str, str]:
        return {} if self.identity is None else {"identity": self.identity}


def admit(edges: Mapping[str, Edge], headers: Mapping[str, str], request: pb.ProcessingRequest) -> Admission:
    """Judge the first message of a stream, whose headers are `headers`. Raises Unauthenticated."""
    only = request.HasField("protocol_config") and not request.protocol_config.request_body_mode
    name = headers.get(EDGE)
    if name is None:  # one of the gateway's own listeners, or one that does not know its callers
        return Admission(None, None, (), only)
    edge = edges.get(name)
    if edge is None:
        raise ConfigurationChanged
    if not edge.guarded:
        return Admission(edge, _certified(request) if edge.certificates else None, (), only)
    owner, removed = _owner(edge.keys, headers)
    if owner is None:
        owner = _token_owner(edge, headers, request)
    return Admission(edge, owner, removed, only)


def error_format(path: str, headers: Mapping[str, str]) -> Format:
    """Whose error shape the client of a path that is no endpoint of an API understands."""
    anthropic = "anthropic-version" in headers or path.removeprefix("/routing").startswith("/v1/messages")
    return Format.ANTHROPIC if anthropic else Format.CHAT


def _owner(keys: Mapping[bytes, str], headers: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Whose key a request carries, and in which headers: where x-plano-key is, only that one counts."""
    looked_at = (CLIENT_KEY,) if CLIENT_KEY in headers else CREDENTIAL_HEADERS
    found: str | None = None
    removed = [CLIENT_KEY] if CLIENT_KEY in headers else []
    for name in looked_at:
        owner = keys.get(_digest(name, headers.get(name, "")))
        if owner is not None:
            found = found or owner
            removed.append(name)
    return found, tuple(dict.fromkeys(removed))


def _digest(name: str, value: str) -> bytes:
    if name == "authorization":
        scheme, _, token = value.strip().partition(" ")
        value = token if scheme.lower() == "bearer" else value
    return hashlib.sha256(value.strip().encode("latin-1")).digest()


def _token_owner(edge: Edge, headers: Mapping[str, str], request: pb.ProcessingRequest) -> str:
    """The caller that a token names which Envoy has verified."""
    found = request.metadata_context.filter_metadata[JWT_NAMESPACE].fields if edge.claim else {}
    if edge.claim and JWT_CLAIMS in found:
        identity = _claim(found[JWT_CLAIMS].struct_value, edge.claim)
        if identity is None:
            raise Unauthenticated(edge.name, f"found no claim '{edge.claim}' in the token", edge.accepted)
        return identity
    failure = found[JWT_FAILURE].struct_value.fields["message"].string_value if JWT_FAILURE in found else ""
    if failure.lower().startswith(_NO_KEY_SET):
        raise TokenKeysUnavailable(edge.name)
    if not any(headers.get(name) for name in CREDENTIAL_HEADERS):
        raise Unauthenticated(edge.name, f"needs {edge.accepted}, and the request has none", edge.accepted)
    reason = f" ({failure})" if failure and not edge.keys else ""
    raise Unauthenticated(edge.name, f"does not accept the key or token that was sent{reason}", edge.accepted)


def _claim(claims: struct_pb2.Struct, name: str) -> str | None:
    """A claim as text. A name with dots leads into nested claims, unless a claim is called so."""
    if name in claims.fields:
        return _text(claims.fields[name])
    value = struct_pb2.Value(struct_value=claims)
    for part in name.split("."):
        if part not in value.struct_value.fields:
            return None
        value = value.struct_value.fields[part]
    return _text(value)


def _text(value: struct_pb2.Value) -> str | None:
    match value.WhichOneof("kind"):
        case "string_value":
            return _identity(value.string_value)
        case "number_value":
            return f"{value.number_value:.17g}"
        case _:
            return None


def _certified(request: pb.ProcessingRequest) -> str | None:
    """The name in a client's certificate: its URI, its DNS name, or else its subject."""
    fields: Any = request.attributes[_ATTRIBUTES].fields if _ATTRIBUTES in request.attributes else {}
    for part in ("uri_san", "dns_san", "subject"):
        name = f"connection.{part}_peer_certificate"
        if name in fields and (identity := _identity(fields[name].string_value)):
            return identity
    return None


def _identity(text: str) -> str | None:
    """The text if it is a name; None for one that is empty, or too long or too odd for a log line to tell apart."""
    return text if text.strip() and len(text) <= _LONGEST_IDENTITY and text.isprintable() else None
