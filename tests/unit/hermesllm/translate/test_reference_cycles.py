"""A request can hold 30 MB: it must be gone when its exchange is, not when the garbage collector next looks."""

import contextlib
import gc
from collections.abc import Iterator
from itertools import product

import pytest

from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

REQUEST = {
    "model": "m",
    "max_tokens": 10,
    "prompt": "hello",
    "input": "hello",
    "messages": [{"role": "user", "content": "hello"}],
}
ANSWERS = [{}, {"choices": []}, {"content": [{"type": "text", "text": "hi"}], "usage": {}}, {"output": []}]
STREAM = b'data: {"type":"message_start","message":{"id":"x","usage":{}}}\n\ndata: {"choices":[]}\n\n'


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def exchange(client: Format, upstream: Format) -> None:
    cell = translator(client, upstream, Context(PROVIDERS["openai"], "m"))
    with contextlib.suppress(GatewayError):
        cell.request({**REQUEST})
    for answer in ANSWERS:
        with contextlib.suppress(GatewayError):
            cell.response(answer)
    stream = cell.stream()
    stream.decode(STREAM)
    stream.flush()


def has_cell(client: Format, upstream: Format) -> bool:
    try:
        translator(client, upstream, Context(PROVIDERS["openai"], "m"))
    except GatewayError:
        return False
    return True


CELLS = [(client, upstream) for client, upstream in product(Format, Format) if has_cell(client, upstream)]


@pytest.mark.parametrize(("client", "upstream"), CELLS, ids=lambda value: str(value))
def test_an_exchange_leaves_nothing_for_the_garbage_collector(
    client: Format, upstream: Format, without_collector: None
) -> None:
    exchange(client, upstream)  # what is built once per process
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    exchange(client, upstream)
    gc.collect()
    left = [type(item).__name__ for item in gc.garbage if type(item).__module__.startswith("hermesllm")]
    assert left == []
