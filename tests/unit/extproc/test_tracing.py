import json
from typing import Any

import orjson
import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from extproc.accounting.observation import Observation
from extproc.hpack_path import MalformedBlock, find_header, find_path
from extproc.routing import RoutingClient
from extproc.tracing import RequestSpan, SpanSettings, TracedRequests
from hermesllm.formats import Format
from plano_pb import routing_pb2 as pb
from planoctl.config.runtime import SpanAttributes, Tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SETTINGS = SpanSettings(prefixes=("x-acme-",), preview=True, capture=1000, distinct_header="x-user")
HEADERS = {":path": "/v1/x?key=secret", "x-model-affinity": "s", "x-acme-team": "a", "x-user": "u", "x-request-id": "r"}


def block(traceparent: str | None = f"00-{TRACE}-{PARENT}-01", *, huffman: bool = True) -> bytes:
    headers = [(":path", "/x"), ("te", "trailers")] + ([("traceparent", traceparent)] if traceparent else [])
    return Encoder().encode(headers, huffman=huffman)


def told(shape: Format, document: Any, settings: SpanSettings = SETTINGS, headers: Any = HEADERS) -> dict[str, Any]:
    span = RequestSpan(settings, block())
    span.asked(shape, headers, document)
    found: dict[str, Any] = json.loads(span.details)
    return found


@pytest.mark.parametrize("huffman", [True, False])
def test_a_header_is_found_however_it_is_coded(huffman: bool) -> None:
    coded = block(huffman=huffman)
    found = find_header(coded, "traceparent")
    assert found is not None
    assert found.text == f"00-{TRACE}-{PARENT}-01"
    assert (found.ends_in("-01"), found.ends_in("-00")) == (True, False)
    assert (find_header(coded, "tracestate"), find_path(coded)) == (None, "/x")


@pytest.mark.parametrize("huffman", [True, False])
def test_a_value_that_reads_like_a_header_is_none(huffman: bool) -> None:
    forged = [("tracestate", "x\x00\x0btraceparent\x00"), ("x-traceparent", "no"), ("traceparents", "no")]
    coded = Encoder().encode([(":path", "/x"), *forged, ("traceparent", "yes")], huffman=huffman)
    assert find_header(coded, "absent") is None
    assert find_header(Encoder().encode(forged[1:], huffman=huffman), "traceparent") is None


@given(st.binary(max_size=200))
def test_whatever_the_block_is_a_header_is_found_or_it_is_malformed(data: bytes) -> None:
    for coded in (data, block()[:30] + data, block() + data):
        try:
            found = find_header(coded, "traceparent")
            assert found is None or (isinstance(found.text, str) and found.ends_in("-01") in (True, False))
        except MalformedBlock:
            continue


@pytest.mark.parametrize(
    "traceparent",
    [None, "", "00", f"00-{TRACE}-{PARENT}", f"00-{TRACE}-{PARENT}-zz", "é" * 55],
)
def test_without_a_context_nothing_is_told(traceparent: str | None) -> None:
    span = RequestSpan(SETTINGS, block(traceparent))
    span.asked(Format.CHAT, HEADERS, {})
    assert (span.traceparent, span.details) == (None, "")


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True), ("02", False)])
def test_what_happens_below_keeps_the_decision_and_only_sampled_requests_tell(flags: str, sampled: bool) -> None:
    span = RequestSpan(SETTINGS, block(f"00-{TRACE}-{PARENT}-{flags}"))
    span.asked(Format.CHAT, HEADERS, {})
    assert bool(span.details) is sampled
    version, trace, parent, flag = (span.traceparent or "").split("-")
    assert (version, trace, flag) == ("00", TRACE, flags)
    assert parent != PARENT
    if sampled:
        assert json.loads(span.details)["span"] == parent


SAID = "Grüße 🦀, what is the capital of France, and why is it not Lyon?"
MESSAGES = [
    {"role": "user", "content": "old"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": SAID},
]
TURNS = [("user", "old"), ("assistant", "yes"), ("user", SAID)]


@pytest.mark.parametrize(
    ("shape", "document", "turns"),
    [
        (Format.CHAT, {"messages": MESSAGES, "max_tokens": 5, "temperature": 0.5}, TURNS),
        (Format.ANTHROPIC, {"messages": MESSAGES, "max_tokens": 5, "system": "hidden"}, TURNS),
        (Format.RESPONSES, {"input": SAID, "max_output_tokens": 5}, TURNS[-1:]),
        (Format.RESPONSES, {"input": MESSAGES}, TURNS),
        (Format.COMPLETIONS, {"prompt": SAID, "max_tokens": 5}, TURNS[-1:]),
        (Format.EMBEDDINGS, {"input": ["old", SAID]}, [("user", "old"), ("user", SAID)]),
    ],
)
def test_what_was_asked_is_told_in_every_format(shape: Format, document: Any, turns: list[tuple[str, str]]) -> None:
    found = told(shape, document)
    assert found["preview"] == SAID[:50] + "..."
    assert [(each["role"], each["parts"][0]["content"]) for each in json.loads(found["input"])] == turns
    numbers = {name: value for name, value in document.items() if isinstance(value, int | float)}
    assert numbers.items() <= found.items()
    assert (found["path"], found["session"], found["distinct_id"]) == ("/v1/x", "s", "u")
    assert found["attributes"] == {"team": "a"}


def test_the_names_of_tools_are_told_in_every_format() -> None:
    tools = [
        {"type": "function", "function": {"name": "a"}},
        {"name": "b"},
        {"type": "web_search"},
        {"name": 1},
        None,
        7,
    ]
    assert told(Format.CHAT, {"tools": tools})["tools"] == ["a", "b", "web_search"]
    assert "tools" not in told(Format.CHAT, {"tools": "no list"})
    assert len(told(Format.CHAT, {"tools": [{"name": "n" * 9999}] * 9999})["tools"]) == 64


def test_what_is_not_wanted_is_not_told() -> None:
    found = told(Format.CHAT, {"messages": MESSAGES}, SpanSettings(prefixes=(), preview=False, capture=0))
    assert found.keys() == {"span", "path", "session"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(list(Format)),
    st.dictionaries(st.sampled_from(["messages", "input", "prompt", "tools", "temperature", "max_tokens"]), JSON),
    st.integers(1, 300),
)
def test_no_document_can_spoil_a_request_or_tell_more_than_it_may(shape: Format, document: Any, limit: int) -> None:
    found = told(shape, document, SpanSettings(prefixes=(), preview=True, capture=limit))
    excerpt = found.get("input", "")
    assert len(excerpt.encode()) <= limit
    assert excerpt == "" or isinstance(json.loads(excerpt), list)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(1, 400))
def test_an_excerpt_is_json_of_at_most_so_many_bytes(text: str, limit: int) -> None:
    document = {"messages": [{"role": "user", "content": text}]}
    found = told(Format.CHAT, document, SpanSettings(prefixes=(), preview=False, capture=limit)).get("input", "")
    assert len(found.encode()) <= limit
    if found:
        assert text.startswith(json.loads(found)[0]["parts"][0]["content"])


def test_settings_are_none_where_nothing_is_traced_and_credentials_name_nobody() -> None:
    endpoint = "http://c:4317"
    assert SpanSettings.of(None) is None
    assert SpanSettings.of(Tracing(random_sampling=0, opentracing_grpc_endpoint=endpoint)) is None
    exporters: Any = ({"type": "console"}, {"distinct_id_header": "Authorization"}, {"distinct_id_header": "X-User"})
    tracing = Tracing(
        random_sampling=1, opentracing_grpc_endpoint=endpoint, exporters=exporters,
        span_attributes=SpanAttributes(header_prefixes=("X-Acme-",)), capture_bytes=10,
    )  # fmt: skip
    assert SpanSettings.of(tracing) == SpanSettings(("x-acme-",), preview=True, capture=0, distinct_header="x-user")


class Brightstaff(RoutingClient):
    """Takes what it is sent, unless it is away; `late`: without an answer in time."""

    def __init__(self) -> None:
        super().__init__("unix:/nowhere")
        self.away = self.late = False
        self.calls: list[list[bytes]] = []
        self.numbers: list[tuple[int, int]] = []

    async def observe(self, observations: pb.Observations) -> bool:
        if not self.away:
            self.calls.append(list(observations.traced))
            self.numbers.append((observations.traced_process, observations.traced_number))
        return not self.away and not self.late


def seen(number: int, *, size: int = 0, sampled: bool = True) -> Observation:
    return Observation(
        request_id=str(number), client_format=Format.CHAT, started=1.0, duration=1.0, sampled=sampled, traced="x" * size
    )


def ids(calls: list[list[bytes]]) -> list[str]:
    return [orjson.loads(record)["request_id"] for call in calls for record in call]


async def test_sampled_requests_arrive_in_order_and_wait_while_brightstaff_is_away() -> None:
    brightstaff, requests = Brightstaff(), TracedRequests()
    brightstaff.away = True
    for number in range(10):
        requests.observe(seen(number, sampled=number % 2 == 0))
    await requests.flush(brightstaff)
    assert brightstaff.calls == []
    brightstaff.away = False
    await requests.flush(brightstaff)
    await requests.flush(brightstaff)
    assert ids(brightstaff.calls) == ["0", "2", "4", "6", "8"]


async def test_large_records_go_in_several_calls_and_the_oldest_are_dropped() -> None:
    brightstaff, requests = Brightstaff(), TracedRequests()
    for number in range(400):
        requests.observe(seen(number, size=60_000))
    assert 100 < requests.lost < 200
    await requests.flush(brightstaff)
    assert ids(brightstaff.calls) == [str(number) for number in range(requests.lost, 400)]
    assert max(sum(map(len, call)) for call in brightstaff.calls) < 1024 * 1024


async def test_a_batch_without_an_answer_is_sent_again_as_it_was_with_its_number() -> None:
    brightstaff, requests = Brightstaff(), TracedRequests()
    brightstaff.late = True
    requests.observe(seen(1))
    await requests.flush(brightstaff)
    requests.observe(seen(2))
    brightstaff.late = False
    await requests.flush(brightstaff)
    assert [ids([call]) for call in brightstaff.calls] == [["1"], ["1"], ["2"]]
    ((process, first), again, (same, second)) = brightstaff.numbers
    assert again == (process, first)
    assert same == process
    assert process != TracedRequests()._process
    assert 0 < first < second


async def test_what_is_dropped_while_a_batch_is_under_way_leaves_the_batch_alone() -> None:
    brightstaff, requests = Brightstaff(), TracedRequests()
    brightstaff.late = True
    requests.observe(seen(0))
    await requests.flush(brightstaff)
    for number in range(1, 400):
        requests.observe(seen(number, size=60_000))
    brightstaff.late = False
    await requests.flush(brightstaff)
    assert ids(brightstaff.calls) == ["0", "0", *(str(number) for number in range(requests.lost + 1, 400))]
