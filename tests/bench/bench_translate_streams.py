"""Events per second through decode + translate + encode, on one core: `python tests/bench/bench_translate_streams.py`.

The whole gateway must move 25,000 translated events per second on two cores, so the library alone has to do several
times that on one.
"""

import sys
import time

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

EVENTS = 50_000
CHAT_CHUNK = (
    b'data: {"id":"chatcmpl-BZ2mFhZ4kWQYVmJ1x0dDqgq3nYVbX","object":"chat.completion.chunk","created":1747000000,'
    b'"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_a288987b44","choices":[{"index":0,'
    b'"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n'
)
TEXT_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" token"}}\n\n'
)
TEXT_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n'
)
CASES = {
    "Chat stream for a Messages client": (Format.ANTHROPIC, Format.CHAT, "openai", CHAT_CHUNK, CHAT_CHUNK),
    "Messages stream for a Chat client": (Format.CHAT, Format.ANTHROPIC, "anthropic", TEXT_START, TEXT_DELTA),
}


def events_per_second(client: Format, upstream: Format, provider: str, start: bytes, event: bytes, batch: int) -> float:
    """The best of five runs; `batch` events come in one chunk."""
    chunks = [event * batch] * (EVENTS // batch)
    best = 0.0
    for _ in range(5):
        stream = translator(client, upstream, Context(PROVIDERS[provider], "model")).stream()
        stream.decode(start)
        begin = time.perf_counter()
        written = sum(len(stream.decode(chunk)) for chunk in chunks)
        best = max(best, EVENTS / (time.perf_counter() - begin))
        assert written > EVENTS * 50
    return best


def main() -> None:
    for name, (client, upstream, provider, start, event) in CASES.items():
        for batch in (1, 10, 100):
            rate = events_per_second(client, upstream, provider, start, event, batch)
            sys.stdout.write(f"{name}, {batch:>3} events per chunk: {rate:>9,.0f} events/s\n")


if __name__ == "__main__":
    main()
