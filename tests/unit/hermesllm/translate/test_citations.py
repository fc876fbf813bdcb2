"""Citations across formats: of web pages with the words they cite, of the client's own documents with their place."""

from typing import Any

import orjson
import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate import converse_answers as converse
from tests.unit.hermesllm.translate import recorded_responses_streams as responses
from tests.unit.hermesllm.translate.recorded_streams import START, STOP, block, chunk, end, sse
from tests.unit.hermesllm.translate.test_streams import events

TEXT = "Grüße: it rains in Oslo."
CHAR = {
    "type": "char_location",
    "cited_text": "Grass is green.",
    "document_index": 2,
    "document_title": "Facts",
    "file_id": "file_1",
    "start_char_index": 0,
    "end_char_index": 15,
}
PAGE = {"type": "page_location", "document_index": 1, "document_title": None, "start_page_number": 2}
CHUNK = {"type": "content_block_location", "document_index": 0, "document_title": "C"}
SEARCH = {"type": "search_result_location", "search_result_index": 3, "source": "kb://1", "title": "S"}
WEB = {"type": "web_search_result_location", "url": "https://a/b", "title": "W", "cited_text": "x"}


def cell(client: Format, provider: str, model: str, upstream: Format) -> Translator:
    made = translator(client, upstream, Context(PROVIDERS[provider], model))
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    made.request({"input": "Hi"} if client is Format.RESPONSES else asked)
    return made


def to_messages(upstream: Format, *cuts: bytes) -> list[dict[str, Any]]:
    """The citations that a Messages client reads in a stream of a provider."""
    reader = cell(Format.ANTHROPIC, "openai", "gpt-5", upstream).stream()
    found = events(b"".join([*map(reader.decode, cuts), reader.flush()]))
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    return [delta["citation"] for delta in deltas if delta["type"] == "citations_delta"]


def url_citation(start: Any, stop: Any, **members: Any) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url": "https://a/b",
        "title": "W",
        "start_index": start,
        "end_index": stop,
        **members,
    }


@pytest.mark.parametrize(("start", "stop", "words"), [(0, 5, "Grüße"), (7, 15, "it rains"), (None, 5, ""), (9, 2, "")])
def test_words_cited_in_a_chat_stream_are_told(start: Any, stop: Any, words: str) -> None:
    nested = {"type": "url_citation", "url_citation": url_citation(start, stop)}
    chunks = [chunk({"content": part}) for part in (TEXT[:2], TEXT[2:9], TEXT[9:])]
    stream = sse(*chunks, chunk({"annotations": [nested]}), chunk({}, "stop"), "[DONE]")
    (citation,) = to_messages(Format.CHAT, *(stream[at : at + 1] for at in range(len(stream))))
    assert citation["cited_text"] == words


def test_words_cited_in_a_responses_stream_are_those_of_their_part() -> None:
    stream = responses.stream(
        *responses.BEGIN,
        *responses.text_events(0, "Before."),
        *responses.text_events(1, TEXT[:3], TEXT[3:], annotations=[url_citation(7, 15)]),
        responses.end([responses.text_item("Before."), responses.text_item(TEXT)]),
    )
    (citation,) = to_messages(Format.RESPONSES, stream)
    assert citation["cited_text"] == "it rains"


def test_words_cited_in_a_responses_stream_without_deltas_are_told() -> None:
    item = responses.text_item(TEXT, annotations=[url_citation(7, 15)])
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    (citation,) = to_messages(Format.RESPONSES, responses.stream(*responses.BEGIN, done, responses.end([item])))
    assert citation["cited_text"] == "it rains"


EXPECTED = [
    {"type": "file_citation", "file_id": "file_1", "filename": "Facts", "index": 2, "citation": CHAR},
    {"type": "file_citation", "file_id": "", "filename": "", "index": 1, "citation": PAGE},
    {"type": "file_citation", "file_id": "", "filename": "C", "index": 0, "citation": CHUNK},
    {"type": "file_citation", "file_id": "", "filename": "S", "index": 3, "citation": SEARCH},
]


def test_claudes_citations_of_documents_are_file_citations_for_a_responses_client() -> None:
    made = cell(Format.RESPONSES, "anthropic", "claude-sonnet-4-5", Format.ANTHROPIC)
    said = {"type": "text", "text": TEXT, "citations": [CHAR, PAGE, CHUNK, SEARCH, WEB]}
    answer = made.response({"content": [said], "stop_reason": "end_turn", "usage": {}})
    web, *files = answer["output"][0]["content"][0]["annotations"]
    assert (web["type"], web["url"]) == ("url_citation", "https://a/b")
    assert files == EXPECTED


def test_claudes_streamed_citations_of_documents_are_file_citations_too() -> None:
    reader = cell(Format.RESPONSES, "anthropic", "claude-sonnet-4-5", Format.ANTHROPIC).stream()
    deltas = [{"type": "citations_delta", "citation": each} for each in (CHAR, PAGE, CHUNK, SEARCH)]
    said = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": TEXT}, *deltas)
    found = events(reader.decode(sse(START, *said, end("end_turn"), STOP, named=True)) + reader.flush())
    added = [each["annotation"] for each in found if each["type"] == "response.output_text.annotation.added"]
    assert added == EXPECTED
    assert found[-1]["response"]["output"][0]["content"][0]["annotations"] == EXPECTED


@pytest.mark.parametrize("streamed", [False, True])
def test_bedrocks_citations_of_documents_are_file_citations_for_a_responses_client(streamed: bool) -> None:
    made = cell(Format.RESPONSES, "amazon_bedrock", "anthropic.claude-sonnet-4-5", Format.CONVERSE)
    if streamed:
        reader = made.stream()
        last = events(reader.decode(converse.CONVERSE_STREAMS["text with citations"]) + reader.flush())[-1]
        answer = last["response"]
    else:
        cited = {"content": [{"text": "Grass"}], "citations": [converse.WEB_CITATION, converse.CITATION]}
        answer = made.response(converse.answer({"citationsContent": cited}))
    web, file = answer["output"][0]["content"][0]["annotations"]
    assert (web["type"], web["url"]) == ("url_citation", "https://a/b")
    assert (file["type"], file["filename"], file["index"]) == ("file_citation", "T", 0)
    assert file["citation"]["cited_text"] == "green"


@pytest.mark.parametrize("citation", [{}, {"type": 5, "document_index": "x", "document_title": []}, {"url": 7}])
def test_a_citation_of_no_known_shape_does_no_harm(citation: dict[str, Any]) -> None:
    made = cell(Format.RESPONSES, "anthropic", "claude-sonnet-4-5", Format.ANTHROPIC)
    said = {"type": "text", "text": TEXT, "citations": [citation, 5, None]}
    answer = made.response({"content": [said], "usage": {}})
    assert answer["output"][0]["content"][0]["text"] == TEXT
    assert orjson.dumps(answer)
