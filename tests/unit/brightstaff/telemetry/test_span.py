import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.telemetry.span import TraceContext

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f" 00-{TRACE}-{PARENT}-00 ", False),
        (f"00-{TRACE}-{PARENT}-03", True),
        (f"cc-{TRACE}-{PARENT}-01-what-comes-later", True),
    ],
)
def test_a_context_is_read(header: str, sampled: bool) -> None:
    assert TraceContext.parse(header) == TraceContext(TRACE, PARENT, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-" * 4,
        f"00-{TRACE}-{PARENT}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-0x{TRACE[2:]}-{PARENT}-01",
        f"00-{TRACE[:15]}_{TRACE[16:]}-{PARENT}-01",
        f"00-+{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0g",
        f"00-{'٣' * 32}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
    ],
)
def test_what_is_no_context_is_none(header: str) -> None:
    assert TraceContext.parse(header) is None


@given(st.from_regex(r"[0-9a-fA-FxX_+-]{0,60}", fullmatch=True))
def test_whatever_is_read_can_be_exported(header: str) -> None:
    context = TraceContext.parse(header)
    if context is not None:
        assert (len(bytes.fromhex(context.trace_id)), len(bytes.fromhex(context.parent_id))) == (16, 8)


def test_what_is_below_a_span_keeps_the_decision() -> None:
    for flags in ("00", "01"):
        context = TraceContext.parse(f"00-{TRACE}-{PARENT}-{flags}")
        assert context is not None
        assert context.traceparent("00000000000000aa") == f"00-{TRACE}-00000000000000aa-{flags}"
