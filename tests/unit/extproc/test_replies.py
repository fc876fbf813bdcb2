from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from extproc import replies
from extproc.exchange import BodyMode
from hermesllm.usage import Usage
from plano_pb import ext_proc_pb2 as pb

OVERWRITE = pb.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
latin = st.text(st.characters(max_codepoint=255), max_size=30)
names = st.text(st.characters(codec="ascii"), min_size=1, max_size=20)
headers = st.dictionaries(names, latin, max_size=6)
bodies = st.binary(max_size=300) | st.integers(120, 140).map(bytes) | st.integers(16370, 16400).map(bytes)


def mutation(changes: dict[str, str], removed: list[str]) -> pb.HeaderMutation:
    options = [
        pb.HeaderValueOption(
            header=pb.HeaderValue(key=name, raw_value=value.encode("latin-1")), append_action=OVERWRITE
        )
        for name, value in changes.items()
    ]
    return pb.HeaderMutation(set_headers=options, remove_headers=removed)


@given(headers, st.lists(names, max_size=4), st.none() | bodies, st.dictionaries(names, st.text(), max_size=3))
def test_a_request_reply_is_the_message_that_protobuf_would_write(
    changes: dict[str, str], removed: list[str], body: bytes | None, metadata: dict[str, str]
) -> None:
    changes.pop("content-length", None)
    reply = pb.ProcessingResponse.FromString(replies.request_body(changes, removed, body, metadata))
    common = reply.request_body.response
    assert common.clear_route_cache
    if body is None:
        assert not common.HasField("body_mutation")
    else:
        changes["content-length"] = str(len(body))
        assert common.body_mutation.body == body
        assert common.body_mutation.clear_body is (body == b"")
    assert common.header_mutation == mutation(changes, removed)
    fields = reply.dynamic_metadata.fields["plano"].struct_value.fields
    assert {name: fields[name].string_value for name in fields} == metadata


@given(headers, st.lists(names, max_size=4), st.sampled_from(BodyMode))
def test_a_response_headers_reply_is_the_message_that_protobuf_would_write(
    changes: dict[str, str], removed: list[str], mode: BodyMode
) -> None:
    reply = pb.ProcessingResponse.FromString(replies.response_headers(changes, removed, mode))
    assert reply.response_headers.response.header_mutation == mutation(changes, removed)
    wanted = {BodyMode.NONE: 0, BodyMode.STREAMED: 1, BodyMode.BUFFERED: 2}[mode]
    assert reply.mode_override.response_body_mode == wanted


@given(headers, bodies)
def test_a_body_reply_is_the_message_that_protobuf_would_write(changes: dict[str, str], body: bytes) -> None:
    changes.pop("content-length", None)
    whole = pb.ProcessingResponse.FromString(replies.response_body(body, changes)).response_body.response
    assert whole.header_mutation == mutation({**changes, "content-length": str(len(body))}, [])
    piece = pb.ProcessingResponse.FromString(replies.response_chunk(body)).response_body.response
    for common in (whole, piece):
        assert common.body_mutation.body == body
        assert common.body_mutation.clear_body is (body == b"")


@given(st.dictionaries(names, st.text(max_size=200), min_size=1, max_size=3))
def test_metadata_goes_with_a_body_beside_its_usage(metadata: dict[str, str]) -> None:
    usage = Usage(prompt=9, completion=1, cache_read=0, cache_write=0)
    kinds = (
        replies.response_body(b"x", {}, usage, metadata),
        replies.response_chunk(b"x", usage, metadata),
        replies.passed_chunk(metadata),
    )
    for reply in kinds:
        fields = pb.ProcessingResponse.FromString(reply).dynamic_metadata.fields
        told = fields["plano"].struct_value.fields
        assert {name: told[name].string_value for name in told} == metadata
    passed = pb.ProcessingResponse.FromString(replies.passed_chunk())
    assert passed == pb.ProcessingResponse(response_body=pb.BodyResponse())


@pytest.mark.parametrize("reasoning", [None, 0, 7])
def test_the_usage_goes_with_the_body_as_numbers(reasoning: int | None) -> None:
    usage = Usage(prompt=9, completion=2**40, cache_read=3, cache_write=1, reasoning=reasoning)
    numbers = {"input_tokens": 9, "output_tokens": 2**40, "cached_tokens": 3, "cache_write_tokens": 1}
    wanted = pb.ProcessingResponse()
    wanted.dynamic_metadata.update(
        {"plano.usage": numbers if reasoning is None else {**numbers, "reasoning_tokens": reasoning}}
    )
    for reply in (replies.response_chunk(b"x", usage), replies.response_body(b"x", {}, usage)):
        assert pb.ProcessingResponse.FromString(reply).dynamic_metadata == wanted.dynamic_metadata


def test_no_usage_is_no_metadata() -> None:
    for reply in (replies.response_chunk(b"x"), replies.response_body(b"x", {}, None)):
        assert not pb.ProcessingResponse.FromString(reply).HasField("dynamic_metadata")


def test_an_immediate_reply_carries_status_headers_body_and_details() -> None:
    reply = pb.ProcessingResponse.FromString(replies.immediate(404, {"allow": "POST"}, b"{}", "plano_x"))
    response = reply.immediate_response
    assert (response.status.code, response.body, response.details) == (404, b"{}", "plano_x")
    assert response.headers == mutation({"allow": "POST"}, [])


@given(
    st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8), st.dictionaries(names, st.text(), max_size=3)
)
def test_the_clusters_of_a_chain_are_the_metadata_that_protobuf_would_write(
    clusters: list[str], metadata: dict[str, str]
) -> None:
    metadata.pop("priority_groups", None)
    reply = pb.ProcessingResponse.FromString(replies.request_body({}, [], None, metadata, tuple(clusters)))
    expected = struct_pb2.Struct()
    groups: list[Any] = [
        {"name": f"attempt-{number}", "clusters": [{"cluster_name": cluster, "weight": 1}]}
        for number, cluster in enumerate(clusters, 1)
    ]
    expected.update({"plano": {**metadata, "priority_groups": groups}})
    assert reply.dynamic_metadata == expected


@given(headers, st.lists(names, max_size=4), st.none() | bodies, st.integers(0, 2**40))
def test_an_attempts_request_is_the_message_that_protobuf_would_write(
    changes: dict[str, str], removed: list[str], body: bytes | None, length: int
) -> None:
    changes.pop("content-length", None)
    reply = pb.ProcessingResponse.FromString(replies.attempt_body(changes, removed, body, length))
    common = pb.CommonResponse()
    common.header_mutation.CopyFrom(
        mutation({**changes, "content-length": str(length if body is None else len(body))}, removed)
    )
    if body == b"":
        common.body_mutation.clear_body = True
    elif body is not None:
        common.body_mutation.body = body
    assert reply == pb.ProcessingResponse(request_body=pb.BodyResponse(response=common))


@given(headers, st.lists(names, max_size=4))
def test_an_attempts_response_headers_are_the_message_that_protobuf_would_write(
    changes: dict[str, str], removed: list[str]
) -> None:
    reply = pb.ProcessingResponse.FromString(replies.attempt_response_headers(changes, removed))
    assert reply.WhichOneof("response") == "response_headers"
    assert reply.response_headers.response.header_mutation == mutation(changes, removed)
    assert not reply.HasField("mode_override")
