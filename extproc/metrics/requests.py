"""What finished requests are counted as. Performance-sensitive: once per request (`make bench`)."""

from collections.abc import Iterator

from extproc.accounting.observation import Observation
from extproc.metrics.outcome import error_class, error_type, status_class
from extproc.metrics.series import Series
from extproc.metrics.tally import Tally
from hermesllm.formats import Format
from hermesllm.usage import Usage
from planoctl.config import metric_families as families
from planoctl.config.metric_labels import MetricLabels
from planoctl.config.runtime import RuntimeConfig

_UNMETERED = frozenset({Format.COUNT_TOKENS})  # its answers are a number of tokens, they use none


class RequestMetrics:
    """A subscriber of finished requests. `tally` has what it counts."""

    def __init__(self) -> None:
        self.tally = self._tally = Tally()
        self._labels = MetricLabels(self._folded)
        self._series: dict[tuple[Format, str, str, str], Series] = {}

    def configure(self, config: RuntimeConfig) -> None:
        """Take labels from `config` from now on."""
        self._labels.configure(config)

    def _folded(self, label: str) -> None:
        self._tally.counter(families.FOLDED, label).add()

    def observe(self, seen: Observation) -> None:
        tally, labels = self._tally, self._labels
        identity = labels.identity(seen.identity)
        answer = status_class(seen.status)
        if not seen.internal:
            tally.counter(families.REQUESTS, seen.client_format, answer, identity).add()
        if not seen.provider or not seen.attempts:
            tally.histogram(families.EXTPROC_SECONDS, "", "").observe(seen.duration)
            return
        served = answer == "2xx"
        model = labels.model(seen.model, served=served)
        key = (seen.client_format, seen.provider, model, identity)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(tally, *key)
        self._attempts(seen, model, answer, series)
        _times(seen, series)
        if seen.usage is not None:
            _tokens(seen, seen.usage, series)
        elif served and not seen.client_left and seen.client_format not in _UNMETERED:
            series.without_usage.add()

    def rate_limited(self, name: str, identity: str) -> None:
        """A request that limits have refused; `name` is the public name of the model that it was for."""
        provider, model = self._labels.named(name)
        self._tally.counter(families.RATE_LIMITED, provider, model, self._labels.identity(identity)).add()
        self._tally.counter(families.EXTPROC_RATE_LIMITED, provider, model).add()

    def _attempts(self, seen: Observation, model: str, answer: str, series: Series) -> None:
        """The last attempt, and those before it, of which no more is known than that they failed."""
        tally = self._tally
        wrong = error_class(seen)
        answer = "error" if seen.first_byte is None else answer
        tally.counter(families.UPSTREAM_REQUESTS, seen.provider, model, answer, wrong).add()
        tally.histogram(families.GEN_AI_SECONDS, *series.gen_ai, error_type(seen.status, wrong)).observe(seen.duration)
        if seen.attempts > 1:
            for failed in self._passed_over(seen, model):
                tally.counter(families.UPSTREAM_REQUESTS, *failed, "error", "other").add()
                tally.counter(families.FAILOVERS, *failed).add()

    def _passed_over(self, seen: Observation, model: str) -> Iterator[tuple[str, str]]:
        if not seen.chain:
            yield from [(seen.provider, model)] * (seen.attempts - 1)
        for name in seen.chain[: seen.attempts - 1]:
            yield self._labels.named(name)


def _times(seen: Observation, series: Series) -> None:
    """A provider's own begin when it was sent the request: before that, others may have failed."""
    duration, ttft, usage, sent = seen.duration, seen.ttft, seen.usage, seen.sent
    series.duration.observe(duration)
    if sent is None and seen.attempts == 1:
        sent = 0.0
    if sent is not None:
        series.upstream_duration.observe(max(0.0, duration - sent))
    if ttft is None or not seen.stream:
        return
    series.first_token.observe(ttft)
    if sent is not None:
        for histogram in series.upstream_first_tokens:
            histogram.observe(max(0.0, ttft - sent))
    if usage is not None and usage.completion > 1:
        series.pause.observe(max(0.0, duration - ttft) / (usage.completion - 1))


def _tokens(seen: Observation, usage: Usage, series: Series) -> None:
    prompt, completion = usage.prompt, usage.completion
    series.prompt.add(prompt)
    series.uncached.add(max(0, prompt - usage.cache_read - usage.cache_write))
    for counters, count in (
        (series.completion, completion),
        (series.cache_read, usage.cache_read),
        (series.cache_write, usage.cache_write),
    ):
        if count > 0:
            for counter in counters:
                counter.add(count)
    for histogram in series.prompts:
        histogram.observe(prompt)
    if prompt > 0:
        (series.cache_hit if usage.cache_read > 0 or usage.cache_write > 0 else series.cache_miss).add()
    if seen.client_format is Format.EMBEDDINGS:
        return
    for histogram in series.completions:
        histogram.observe(completion)
    if completion > 0:
        series.per_token.observe(seen.duration / completion)
        if seen.duration > 0:
            series.rate.observe(completion / seen.duration)
