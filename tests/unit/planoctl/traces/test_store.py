import random

import orjson
import pytest

from planoctl.traces.store import Limits, TraceStore
from tests.unit.planoctl.traces.sample import Made, spans

A, B, C = "a" * 32, "b" * 32, "c" * 32


def stored(store: TraceStore) -> dict[str, list[str]]:
    """The last two digits of each span id, by trace id, newest trace first."""
    return {
        trace_id: [orjson.loads(span)["spanId"].lstrip("0") for span in encoded] for trace_id, encoded in store.traces()
    }


def filled(*made: Made, limits: Limits | None = None) -> TraceStore:
    store = TraceStore(limits)
    for span in spans(*made):
        store.add(span)
    return store


def test_spans_of_one_trace_are_together_even_if_no_link_joins_them() -> None:
    assert stored(filled(Made(A, "1"), Made(A, "2", parent="9"), Made(A, "3"))) == {A: ["1", "2", "3"]}


def test_traces_are_in_the_order_of_their_last_span_newest_first() -> None:
    store = filled(Made(A, "1"), Made(B, "2"), Made(C, "3"), Made(A, "4", parent="1"))
    assert list(stored(store)) == [A, C, B]


def test_a_child_with_another_trace_id_joins_its_parent() -> None:
    assert stored(filled(Made(A, "1"), Made(B, "2", parent="1"))) == {A: ["1", "2"]}


def test_the_root_that_comes_last_gives_the_trace_its_id() -> None:
    assert stored(filled(Made(B, "2", parent="1"), Made(A, "1"))) == {A: ["2", "1"]}


def test_a_root_that_comes_last_evicts_nothing() -> None:
    store = filled(Made(C, "9"), Made(B, "2", parent="1"), Made(A, "1"), limits=Limits(traces=2))
    assert stored(store) == {A: ["2", "1"], C: ["9"]}


def test_a_span_that_joins_three_traces_makes_them_one() -> None:
    store = filled(Made(A, "1"), Made(B, "3", parent="2"), Made(C, "4", parent="3"), Made(C, "2", parent="1"))
    assert stored(store) == {A: ["1", "3", "4", "2"]}


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    made = [
        Made(A, "1"),
        Made(B, "2", parent="1"),
        Made(C, "3", parent="2"),
        Made(B, "4", parent="2"),
        Made(A, "5", parent="3"),
        Made(C, "6", parent="5"),
    ]
    random.Random(seed).shuffle(made)
    found = stored(filled(*made))
    assert {trace: sorted(ids) for trace, ids in found.items()} == {A: ["1", "2", "3", "4", "5", "6"]}


def test_a_span_that_comes_twice_is_stored_once() -> None:
    store = TraceStore()
    (span,) = spans(Made(A, "1"))
    assert store.add(span) is not None
    assert store.add(span) is None
    assert stored(store) == {A: ["1"]}


def test_the_trace_that_waited_longest_makes_room_and_leaves_nothing_behind() -> None:
    limits = Limits(traces=2)
    store = filled(Made(A, "1", parent="8"), Made(B, "2", parent="9"), Made(A, "3", parent="1"), limits=limits)
    registered = store.registrations
    for span in spans(Made(C, "4", parent="7")):
        store.add(span)
    assert stored(store) == {C: ["4"], A: ["1", "3"]}
    assert store.registrations == registered
    late = spans(Made("d" * 32, "9"))[0]
    store.add(late)
    assert list(stored(store)) == ["d" * 32, C]


def test_many_traces_leave_no_registrations_behind() -> None:
    store = TraceStore(Limits(traces=5))
    for number in range(1, 2001):
        for span in spans(Made(f"{number:032x}", f"{number:x}", parent=f"f{number:x}")):
            store.add(span)
    assert (store.trace_count, store.span_count, store.registrations) == (5, 5, 15)


def test_a_parent_that_has_arrived_is_awaited_no_more_after_a_merge() -> None:
    store = filled(Made(C, "7"), Made(A, "2", parent="1"), Made(A, "1"), Made(A, "3", parent="7"))
    assert stored(store) == {C: ["7", "2", "1", "3"]}
    assert store.registrations == 4 + 2


@pytest.mark.parametrize("seed", range(20))
def test_whatever_arrived_leaves_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    store = TraceStore(Limits(traces=3, spans_per_trace=4))
    for _ in range(300):
        parent = f"{chance.randrange(40):x}" if chance.random() < 0.8 else ""
        (span,) = spans(Made(chance.choice([A, B, C, "d" * 32, "e" * 32]), f"{chance.randrange(1, 40):x}", parent))
        store.add(span)
        assert store.trace_count <= 3
        assert store.span_count == sum(len(found) for _, found in store.traces()) <= 12
    for number in range(3):
        for span in spans(Made(f"{number + 1:032x}", f"ff{number:x}")):
            store.add(span)
    assert (store.trace_count, store.span_count, store.registrations) == (3, 3, 6)


def test_a_trace_keeps_no_more_spans_than_the_limit() -> None:
    store = TraceStore(Limits(spans_per_trace=500))
    for span in spans(*(Made(A, f"{number:x}") for number in range(1, 701))):
        assert store.add(span) is not None
    assert store.span_count == 500


def test_merging_keeps_no_more_spans_than_the_limit() -> None:
    made = [Made(A, "1"), Made(A, "2"), Made(B, "4", parent="3"), Made(B, "5", parent="4"), Made(A, "3", parent="1")]
    store = filled(*made, limits=Limits(spans_per_trace=3))
    assert stored(store) == {A: ["1", "2", "4"]}
    assert store.span_count == 3


def test_large_spans_push_out_the_oldest_traces() -> None:
    made = [Made(f"{number:032x}", f"{number:x}", attributes={"text": "x" * 1000}) for number in range(1, 41)]
    store = filled(*made, limits=Limits(size=20_000))
    assert 10 < store.trace_count < 20
    assert next(iter(stored(store))) == f"{40:032x}"
    assert sum(len(span) for _, found in store.traces() for span in found) <= 20_000


def test_a_span_larger_than_everything_is_passed_on_but_not_stored() -> None:
    store = filled(Made(A, "1"), limits=Limits(size=5_000))
    (large,) = spans(Made(B, "2", attributes={"text": "x" * 6_000}))
    assert store.add(large) is not None
    assert stored(store) == {A: ["1"]}
