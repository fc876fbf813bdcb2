"""What a listener asks of its clients: TLS, credentials, caps and CORS, as parts of RuntimeConfig's listeners."""

from typing import Literal

import msgspec


class ListenerTls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Paths are absolute. `require_client_certificate` None: as `client_ca` is there."""

    certificate: str
    private_key: str
    client_ca: str | None = None
    require_client_certificate: bool | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"


class GatewayKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`sha256`: 64 hexadecimal digits in lower case. The key itself is nowhere."""

    name: str
    sha256: str


class JwtAuth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exactly one of `jwks_url` and `jwks_file`, an absolute path, is set."""

    issuer: str
    audiences: tuple[str, ...] = ()
    jwks_url: str | None = None
    jwks_file: str | None = None
    identity_claim: str = "sub"


class ListenerAuth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    keys: tuple[GatewayKey, ...] = ()
    jwt: JwtAuth | None = None


class RequestRate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    requests: int
    unit: Literal["second", "minute"]


class Cors(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`max_age` is a protobuf duration. None: the usual headers."""

    allow_origins: tuple[str, ...]
    allow_headers: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age: str = "600s"
    allow_credentials: bool = False
