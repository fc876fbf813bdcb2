"""Header names the gateway's processes use between themselves and towards clients. All are lower case."""

# Between Envoy and the sidecar: the cluster a request goes to.
CLUSTER = "x-arch-llm-provider"
# Between Envoy and the sidecar: the request goes to a chain of candidates, which dynamic metadata names.
CHAIN = "x-arch-chain"
# From Envoy to the sidecar: which of the gateway's own listeners took the request; public ones set none.
LISTENER = "x-arch-listener"
INTERNAL_LISTENER = "internal"
# From Envoy to the sidecar: which public listener took the request, where its callers are told apart or it has a limit.
EDGE = "x-arch-edge"
# From Envoy to brightstaff: the most bytes that a body may have on this listener.
BODY_LIMIT = "x-arch-body-limit"
# From the sidecar to brightstaff: who the caller is, percent-encoded.
IDENTITY = "x-plano-identity"
# From clients: the gateway's own key, beside which every other credential is the provider's.
CLIENT_KEY = "x-plano-key"
# Where SDKs put a key.
CREDENTIAL_HEADERS = (CLIENT_KEY, "authorization", "x-api-key", "api-key", "x-goog-api-key")
# Where Envoy's filter leaves the claims of a token, or why it is none.
JWT_NAMESPACE = "envoy.filters.http.jwt_authn"
JWT_CLAIMS, JWT_FAILURE = "claims", "failure"
# The cluster of the routing service.
BRIGHTSTAFF = "brightstaff"
# From clients: a model or provider name that wins over a body without `model`; checked against the configuration.
PROVIDER_HINT = "x-arch-llm-provider-hint"
# To clients: which model answered, which provider, and what a translation could not carry over.
SERVED_MODEL = "x-plano-model"
SERVED_PROVIDER = "x-plano-provider"
DROPPED = "x-plano-dropped-params"
# To clients: how many providers were asked, the routing preference that matched, and how that was decided.
ATTEMPTS = "x-plano-attempts"
ROUTE = "x-plano-route"
ROUTING = "x-plano-routing"
# From clients: requests with the same value stay with the model that served the first.
AFFINITY = "x-model-affinity"

# From Envoy to the sidecar, on replies that Envoy made itself: what happened.
LOCAL_REPLY = "x-plano-gateway-error"

# What no client may bring in and no provider may see, by prefix.
INTERNAL_PREFIXES = ("x-arch-", "x-plano-", "x-envoy-")
INTERNAL_NAMES = frozenset({AFFINITY})

# Internal names that a client *may* send; they are read and then removed.
CLIENT_HINTS = frozenset({PROVIDER_HINT, "x-arch-ratelimit-selector"})

# What Envoy counts and sets.
ATTEMPT_COUNT = "x-envoy-attempt-count"
MAX_RETRIES = "x-envoy-max-retries"
# How the upstream stage learns which attempt it serves.
ATTEMPT_ATTRIBUTE = "upstream.request_attempt_count"

# What is added to the name of a provider's cluster for requests with several candidates.
FIRST_CLUSTER_SUFFIX = "~first"
CHAIN_CLUSTER_SUFFIX = "~chain"
STREAM_CLUSTER_SUFFIX = "~stream"
# From the upstream stage to the listener stage: this stream is what the client wants already.
TRANSLATED = "x-plano-translated"

# The namespace of dynamic metadata shared by Envoy and the sidecar.
METADATA_NAMESPACE = "plano"
# The one of what was measured of an answer: tokens, and when its first event came.
USAGE_NAMESPACE = "plano.usage"
