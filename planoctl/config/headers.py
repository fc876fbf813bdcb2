"""Header names the gateway's processes use between themselves and towards clients. All are lower case."""

# Between Envoy and the sidecar: the cluster a request goes to.
CLUSTER = "x-arch-llm-provider"
# The cluster of the routing service.
BRIGHTSTAFF = "brightstaff"
# From clients: a model or provider name that wins over a body without `model`; checked against the configuration.
PROVIDER_HINT = "x-arch-llm-provider-hint"
# To clients: which model answered, which provider, and what a translation could not carry over.
SERVED_MODEL = "x-plano-model"
SERVED_PROVIDER = "x-plano-provider"
DROPPED = "x-plano-dropped-params"

# From Envoy to the sidecar, on replies that Envoy made itself: what happened.
LOCAL_REPLY = "x-plano-gateway-error"

# What no client may bring in and no provider may see, by prefix.
INTERNAL_PREFIXES = ("x-arch-", "x-plano-", "x-envoy-")
INTERNAL_NAMES = frozenset({"x-model-affinity"})

# Internal names that a client *may* send; they are read and then removed.
CLIENT_HINTS = frozenset({PROVIDER_HINT, "x-arch-ratelimit-selector"})

# The namespace of dynamic metadata shared by Envoy and the sidecar.
METADATA_NAMESPACE = "plano"
