"""What the sidecar's workers measure: names, labels and buckets. Workers count, brightstaff adds up and shows.

The names are contracts. `gen_ai_*` are the OpenTelemetry GenAI semantic conventions as Prometheus spells them.
"""

from dataclasses import dataclass
from typing import Literal

_LLM_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_FIRST_TOKEN_SECONDS = (
    *(0.1, 0.5, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.4),
    *(3, 3.5, 4, 4.5, 5, 6, 10, 60, 180),
)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_PER_TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
_TOKENS_PER_SECOND = (1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10000)
_GEN_AI_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_GEN_AI_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_GEN_AI_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)

_MODEL = ("provider", "model")
_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """`buckets`: upper bounds of a histogram, ascending, without +Inf."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = _MODEL) -> Family:
    return Family(name, "histogram", text, labels, buckets)


REQUESTS = _counter(
    "plano_requests_total",
    "Requests of clients to model listeners, whoever answered them.",
    *("client_format", "status_class", "identity"),
)
FAILOVERS = _counter("plano_failovers_total", "Attempts after which another one was made, by who failed.", *_MODEL)
RATE_LIMITED = _counter(
    "plano_ratelimited_requests_total", "Requests that the gateway's own limits refused.", *_MODEL, "identity"
)
TOKENS = _counter(
    "plano_tokens_total",
    "Tokens that providers reported: `input` (not from a cache), `output`, `cache_read`, `cache_write`.",
    *(*_MODEL, "identity", "kind"),
)
SPANS_LOST = _counter(
    "plano_spans_lost_total",
    "Spans lost on their way from the `sidecar`, or in the `export` to one destination.",
    "stage",
)
FOLDED = _counter("plano_folded_labels_total", "Label values shown as `other`, because there are too many.", "label")

UPSTREAM_REQUESTS = _counter(
    "brightstaff_llm_upstream_requests_total",
    "Attempts at providers. `status_class` is `error` where no answer came; `error_class` says what went wrong.",
    *(*_MODEL, "status_class", "error_class"),
)
UPSTREAM_SECONDS = _histogram(
    "brightstaff_llm_upstream_duration_seconds",
    "Time of the last attempt, since the request was sent to the provider.",
    _LLM_SECONDS,
)
UPSTREAM_FIRST_TOKEN = _histogram(
    "brightstaff_llm_time_to_first_token_seconds",
    "Time to the first event of streams, since the request was sent to the provider.",
    _LLM_SECONDS,
)
UPSTREAM_TOKENS = _counter(
    "brightstaff_llm_tokens_total",
    "Tokens: `prompt` (with cached ones), `completion`, and of the prompt `cache_read` and `cache_write`.",
    *(*_MODEL, "kind"),
)
UPSTREAM_USAGE_MISSING = _counter("brightstaff_llm_tokens_usage_missing_total", "Answers without token usage.", *_MODEL)
PROMPT_CACHE = _counter(
    "brightstaff_prompt_cache_requests_total", "Answers by use of the provider's prompt cache.", *_MODEL, "outcome"
)

EXTPROC_FIRST_TOKEN = _histogram(
    "extproc_time_to_first_token_seconds",
    "Time to the first event of streams, all attempts included.",
    _FIRST_TOKEN_SECONDS,
)
EXTPROC_SECONDS = _histogram(
    "extproc_request_duration_seconds", "Time of requests, those without a provider included.", _LLM_SECONDS
)
EXTPROC_INPUT = _histogram("extproc_input_tokens", "Tokens of prompts.", _TOKENS)
EXTPROC_OUTPUT = _histogram("extproc_output_tokens", "Tokens of answers.", _TOKENS)
EXTPROC_PER_TOKEN = _histogram(
    "extproc_time_per_output_token_seconds", "Time of a request divided by its output tokens.", _PER_TOKEN_SECONDS
)
EXTPROC_RATE = _histogram(
    "extproc_output_tokens_per_second", "Output tokens of a request divided by its time.", _TOKENS_PER_SECOND
)
EXTPROC_RATE_LIMITED = _counter(
    "extproc_ratelimited_requests_total", "Requests that the gateway's own limits refused.", *_MODEL
)
EXTPROC_CALLOUTS = _gauge("extproc_active_callouts", "Questions to brightstaff without an answer yet.", "worker")
EXTPROC_STARTED = _gauge("extproc_start_time_seconds", "When a worker started, in Unix time.", "worker")
EXTPROC_MEMORY = _gauge("extproc_resident_memory_bytes", "Resident memory of a worker.", "worker")
EXTPROC_CPU = _counter("extproc_cpu_seconds_total", "Processor time of a worker.", "worker")
EXTPROC_FAULTS = _counter(
    "extproc_access_log_faults_total", "Access-log records that were lost because they could not be read."
)

GEN_AI_TOKENS = _histogram("gen_ai_client_token_usage", "Tokens of requests.", _TOKENS, (*_GEN_AI, "gen_ai_token_type"))
GEN_AI_SECONDS = _histogram(
    "gen_ai_client_operation_duration_seconds", "Time of requests.", _GEN_AI_SECONDS, (*_GEN_AI, "error_type")
)
GEN_AI_FIRST_TOKEN = _histogram(
    "gen_ai_server_time_to_first_token_seconds",
    "Time to the first event of streams, since the request was sent to the provider.",
    *(_GEN_AI_FIRST_TOKEN, _GEN_AI),
)
GEN_AI_PER_TOKEN = _histogram(
    "gen_ai_server_time_per_output_token_seconds",
    "Time between the output tokens of streams, after the first.",
    *(_GEN_AI_PER_TOKEN, _GEN_AI),
)

WORKER_FAMILIES: dict[str, Family] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Family)
}
