"""All that requests of one kind, to one model, are counted in."""

from extproc.metrics.tally import Counter, Histogram, Tally
from hermesllm.formats import Format
from hermesllm.gen_ai import operation_name, provider_name
from planoctl.config import metric_families as families
from planoctl.config.metric_families import Family


class Series:
    """The numbers of one model, client format and caller, found once instead of at each request."""

    def __init__(self, tally: Tally, client_format: Format, provider: str, model: str, identity: str) -> None:
        gen_ai = (operation_name(client_format), provider_name(provider), model)

        def histogram(family: Family, *more: str) -> Histogram:
            return tally.histogram(family, *(gen_ai if family.name.startswith("gen_ai") else (provider, model)), *more)

        def counter(family: Family, *more: str) -> Counter:
            return tally.counter(family, provider, model, *more)

        self.gen_ai = gen_ai
        self.duration = histogram(families.EXTPROC_SECONDS)
        self.upstream_duration = histogram(families.UPSTREAM_SECONDS)
        self.first_token = histogram(families.EXTPROC_FIRST_TOKEN)
        self.upstream_first_tokens = (
            histogram(families.UPSTREAM_FIRST_TOKEN),
            histogram(families.GEN_AI_FIRST_TOKEN),
        )
        self.pause = histogram(families.GEN_AI_PER_TOKEN)
        self.prompts = (histogram(families.EXTPROC_INPUT), histogram(families.GEN_AI_TOKENS, "input"))
        self.completions = (histogram(families.EXTPROC_OUTPUT), histogram(families.GEN_AI_TOKENS, "output"))
        self.per_token = histogram(families.EXTPROC_PER_TOKEN)
        self.rate = histogram(families.EXTPROC_RATE)
        self.prompt = counter(families.UPSTREAM_TOKENS, "prompt")
        self.uncached = counter(families.TOKENS, identity, "input")
        self.completion = (
            counter(families.UPSTREAM_TOKENS, "completion"),
            counter(families.TOKENS, identity, "output"),
        )
        self.cache_read = (
            counter(families.UPSTREAM_TOKENS, "cache_read"),
            counter(families.TOKENS, identity, "cache_read"),
        )
        self.cache_write = (
            counter(families.UPSTREAM_TOKENS, "cache_write"),
            counter(families.TOKENS, identity, "cache_write"),
        )
        self.cache_hit = counter(families.PROMPT_CACHE, "hit")
        self.cache_miss = counter(families.PROMPT_CACHE, "miss")
        self.without_usage = counter(families.UPSTREAM_USAGE_MISSING)
