"""Time to read a conversation out of a request, per request on one core: `python -m tests.bench.bench_conversation`."""

import sys
import time
from typing import Any

from hermesllm.conversation import ROUTING_TURNS, conversation, middle_trimmed
from hermesllm.formats import Format
from planoctl.config.inline_preferences import take_inline_preferences

_RUNS = 2000


def _chat(messages: int, size: int) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[index % 2], "content": "x" * size} for index in range(messages)]}


def _agent_loop(calls: int) -> dict[str, Any]:
    """One question, then tool calls that the assistant comments."""
    call = [{"type": "text", "text": "Next file."}, {"type": "tool_use", "id": "t", "name": "read", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "x" * 2000}]
    loop = [{"role": "assistant", "content": call}, {"role": "user", "content": result}] * calls
    return {"messages": [{"role": "user", "content": "Fix the bug."}, *loop]}


def main() -> None:
    cases = {
        "Chat, 1 message": (Format.CHAT, _chat(1, 200)),
        "Chat, 16 messages": (Format.CHAT, _chat(16, 200)),
        "Chat, 2,000 messages": (Format.CHAT, _chat(2000, 200)),
        "Messages, agent of 500 calls": (Format.ANTHROPIC, _agent_loop(500)),
    }
    for name, (client, request) in cases.items():
        sys.stdout.write(f"{name}: {_microseconds(conversation, client, request, ROUTING_TURNS):.1f} µs\n")
    request = _chat(16, 200)
    sys.stdout.write(f"no inline preferences: {_microseconds(take_inline_preferences, request):.2f} µs\n")
    sys.stdout.write(f"10 MB cut to 32 KiB: {_microseconds(middle_trimmed, 'é' * 5_000_000, 32768):.1f} µs\n")


def _microseconds(function: Any, *arguments: Any) -> float:
    """The best of five means."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(_RUNS):
            function(*arguments)
        best = min(best, (time.perf_counter() - begin) / _RUNS)
    return best * 1e6


if __name__ == "__main__":
    main()
