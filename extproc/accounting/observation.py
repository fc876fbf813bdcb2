"""What is known of a request when it is over."""

from collections.abc import Callable

import msgspec

from hermesllm.formats import Format
from hermesllm.usage import Usage


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finished request of a model listener, whoever answered it. Times are in seconds since it began to arrive.

    Texts are empty and numbers None where there is nothing to tell: a request that the gateway refused has no provider.
    `status` is 0 where the client left before there was one. `chain` names the candidates that were to be tried,
    `attempts` how many providers were asked. `sent` is when the last of them was sent the request, None where there was
    no connection to it. `first_byte` is when the answer's head came, `ttft` when the first event
    of a stream did; a whole answer has none. `usage` is what the provider reported, None where it reported nothing.
    """

    request_id: str
    client_format: Format
    upstream_format: str = ""
    """What the provider speaks."""
    requested_model: str = ""
    provider: str = ""
    model: str = ""
    route: str = ""
    routing: str = ""
    routing_reason: str = ""
    chain: tuple[str, ...] = ()
    cluster: str = ""
    attempts: int = 0
    status: int = 0
    details: str = ""
    flags: tuple[str, ...] = ()
    stream: bool = False
    internal: bool = False
    """The gateway's own request, for instance to the model that decides where another goes."""
    client_left: bool = False
    started: float
    """Seconds since the epoch."""
    duration: float
    sent: float | None = None
    first_byte: float | None = None
    ttft: float | None = None
    usage: Usage | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    user_agent: str = ""
    identity: str = ""
    """Who asked, where the listener knows its callers."""
    trace_id: str = ""
    span_id: str = ""
    """Of the span that Envoy made of the request."""
    sampled: bool = False
    traced: str = ""
    """What a span tells beside this, as JSON."""
    error: str = ""
    """The gateway's code of what it told the client, or `provider_error` for an error that a provider answered with."""
    answered: str = ""
    """What the model answered, where that is captured: messages of the GenAI semantic conventions, as JSON."""
    reservation: str = ""
    """What a rate limit has set aside for the request."""


Subscriber = Callable[[Observation], None]
