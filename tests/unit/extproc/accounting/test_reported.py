"""Usage out of dynamic metadata. What Envoy really puts there: tests/integration/test_accounting.py."""

import json
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from extproc.accounting.reported import counted, reported_usage
from hermesllm.formats import Format
from hermesllm.usage import Usage, usage_of

counts = st.integers(0, 2**40)
usages = st.builds(
    Usage, prompt=counts, completion=counts, cache_read=counts, cache_write=counts, reasoning=st.none() | counts
)


def fields(**members: Any) -> Any:
    """Metadata as Envoy finds it in answers: objects as JSON text."""
    struct = Struct()
    struct.update({name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()})
    return struct.fields


@given(usages, st.none() | st.sampled_from(Format))
def test_what_the_sidecar_counted_comes_back_as_it_was(usage: Usage, spoken: Format | None) -> None:
    struct = Struct()
    struct.update({**counted(usage), "usage": '{"prompt_tokens": 7}'})
    assert reported_usage(spoken, struct.fields) == usage


def test_an_anthropic_stream_ends_with_what_corrects_its_begin() -> None:
    begin = {"input_tokens": 5, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1, "output_tokens": 1}
    end = {"input_tokens": 6, "cache_read_input_tokens": None, "output_tokens": 40}
    assert reported_usage(Format.ANTHROPIC, fields(message=begin, usage=end)) == Usage(
        prompt=9, completion=40, cache_read=2, cache_write=1
    )


def test_an_anthropic_stream_that_broke_off_has_used_what_it_began_with() -> None:
    begun = reported_usage(Format.ANTHROPIC, fields(message={"input_tokens": 5, "output_tokens": 1}))
    assert begun == Usage(prompt=5, completion=1)


@pytest.mark.parametrize("spoken", [Format.CHAT, Format.COMPLETIONS, Format.EMBEDDINGS, Format.RESPONSES])
def test_a_whole_answer_is_read_like_its_format(spoken: Format) -> None:
    usage = {
        "prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3},
        "input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3},
    }  # fmt: skip
    assert reported_usage(spoken, fields(usage=usage)) == Usage(prompt=9, completion=4, cache_read=3)


def test_a_responses_stream_has_its_usage_in_the_response() -> None:
    usage = {"input_tokens": 9, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}}
    found = reported_usage(Format.RESPONSES, fields(response=usage))
    assert found == usage_of(Format.RESPONSES, usage) == Usage(prompt=9, completion=4, reasoning=2)


@pytest.mark.parametrize("text", ["", "unknown", "7", "null", "[1]", '{"prompt_tok', "{}"])
@pytest.mark.parametrize("spoken", [Format.CHAT, Format.ANTHROPIC, Format.RESPONSES])
def test_what_is_no_usage_object_is_no_usage(spoken: Format, text: str) -> None:
    assert reported_usage(spoken, fields(usage=text)) is None


def test_answers_of_another_format_than_the_clients_do_not_count_as_they_are() -> None:
    assert reported_usage(None, fields(usage={"prompt_tokens": 9})) is None


def test_counting_tokens_uses_none() -> None:
    assert reported_usage(Format.COUNT_TOKENS, fields(usage={"input_tokens": 9})) is None
