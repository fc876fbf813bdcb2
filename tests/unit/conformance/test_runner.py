"""The kit must notice what a gateway does wrong: each test lets a small gateway make one mistake."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.case import BadCase, load_case, load_cases
from tests.conformance.http1 import Message, head, read_message
from tests.conformance.report import as_json, faults, table
from tests.conformance.runner import Result, Settings, run_cases
from tests.integration.gateway import free_port

Change = Callable[[Message], Message]

REQUEST = {"model": "openai/m", "messages": [{"role": "user", "content": "Grüße"}]}
ANSWER = {"id": "x-1", "created": 7, "choices": [{"message": {"content": "Hallo, Welt"}}]}
EVENTS = (
    'event: start\ndata: {"id":"x-1"}\n\n'
    'event: delta\ndata: {"text":"Grü"}\n\n'
    'event: delta\ndata: {"text":"ße"}\n\n'
    'event: stop\ndata: {"id":"x-1"}\n\n'
)


def same(message: Message) -> Message:
    return message


class SmallGateway:
    """Passes requests on to the kit's provider, and makes the mistakes it is told to make."""

    def __init__(self, on_request: Change = same, on_response: Change = same, *, strips: bool = False) -> None:
        self._on_request, self._on_response, self._strips = on_request, on_response, strips

    async def serve(self, port: int, provider_port: int) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                request = await read_message(reader, until_close=False)
                assert request is not None
                response = self._on_response(await self._ask(provider_port, self._on_request(request)))
                headers = {"content-type": response.headers.get("content-type", ""), "connection": "close"}
                writer.write(head(response.start, headers) + response.body)
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", port)

    async def _ask(self, port: int, request: Message) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        if self._strips:
            headers.pop("x-conformance-case")
        writer.write(head(request.start, {**headers, "content-length": str(len(request.body))}) + request.body)
        response = await read_message(reader, until_close=True)
        writer.close()
        assert response is not None
        return response


def write_case(root: Path, *, stream: bool = False, **meta: Any) -> Path:
    folder = root / "chat-chat" / ("stream" if stream else "whole")
    folder.mkdir(parents=True)
    described = {"title": "t", "client": "chat", "upstream": "chat", "provider": "openai", "model": "m", **meta}
    (folder / "meta.json").write_text(json.dumps(described))
    (folder / "request.json").write_text(json.dumps(REQUEST))
    (folder / "upstream_request.json").write_text(json.dumps(REQUEST))
    suffix, text = (".sse", EVENTS) if stream else (".json", json.dumps(ANSWER))
    (folder / f"upstream_response{suffix}").write_text(text)
    (folder / f"response{suffix}").write_text(text)
    return folder


async def run(root: Path, gateway: SmallGateway | None, **settings: Any) -> Result:
    port, provider_port = free_port(), free_port()
    server = await gateway.serve(port, provider_port) if gateway else None
    try:
        chosen = Settings(gateway_url=f"http://127.0.0.1:{port}", provider_port=provider_port, timeout_seconds=2)
        results = await run_cases(load_cases(root), replace(chosen, **settings))
    finally:
        if server:
            server.close()
    (result,) = results
    return result


def text_of(result: Result) -> str:
    assert not result.passed
    return "\n".join(faults([result]))


def body(change: Callable[[bytes], bytes]) -> Change:
    return lambda message: replace(message, body=change(message.body))


def document(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return body(lambda raw: json.dumps(change(json.loads(raw))).encode())


@pytest.mark.parametrize("stream", [False, True])
async def test_a_faithful_gateway_passes_in_every_variant(tmp_path: Path, stream: bool) -> None:
    write_case(tmp_path, stream=stream)
    result = await run(tmp_path, SmallGateway())
    assert result.passed, text_of(result)
    assert result.variants == (10 if stream else 1)


async def test_a_gateway_that_strips_the_case_header_passes_one_request_at_a_time(tmp_path: Path) -> None:
    write_case(tmp_path, stream=True)
    assert "--serial" in text_of(await run(tmp_path, SmallGateway(strips=True)))
    assert (await run(tmp_path, SmallGateway(strips=True), serial=True)).passed


async def test_another_body_for_the_client_fails(tmp_path: Path) -> None:
    write_case(tmp_path)
    result = await run(tmp_path, SmallGateway(on_response=document(lambda answer: {**answer, "created": 8})))
    assert "client: $.created: expected 7, got 8" in text_of(result)


async def test_another_body_for_the_provider_fails(tmp_path: Path) -> None:
    write_case(tmp_path)
    result = await run(tmp_path, SmallGateway(on_request=document(lambda asked: {**asked, "temperature": 1})))
    assert "provider: $.temperature: not expected, got 1" in text_of(result)


async def test_another_path_or_header_at_the_provider_fails(tmp_path: Path) -> None:
    write_case(tmp_path, upstream_path="/v2/chat", upstream_request_headers={"X-Api-Key": "k"})
    text = text_of(await run(tmp_path, SmallGateway()))
    assert "expected the path /v2/chat, got /v1/chat/completions" in text
    assert "expected the header X-Api-Key: k, got None" in text


async def test_another_status_fails(tmp_path: Path) -> None:
    write_case(tmp_path)
    wrong = SmallGateway(on_response=lambda message: replace(message, start="HTTP/1.1 502 Bad Gateway"))
    assert "expected status 200, got 502" in text_of(await run(tmp_path, wrong))


async def test_another_content_type_fails(tmp_path: Path) -> None:
    write_case(tmp_path, stream=True)
    wrong = SmallGateway(on_response=lambda message: replace(message, headers={"content-type": "text/plain"}))
    assert "expected text/event-stream" in text_of(await run(tmp_path, wrong))


EVENT_LIST = EVENTS.encode().split(b"\n\n")[:-1]
FIRST, GRU, SSE_, LAST = EVENT_LIST


def only(*events: bytes) -> Change:
    return body(lambda _: b"".join(event + b"\n\n" for event in events))


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ((FIRST, GRU, LAST), "expected 4 events, got 3"),
        ((FIRST, GRU, SSE_, SSE_, LAST), "expected 4 events, got 5"),
        ((FIRST, SSE_, GRU, LAST), "event 1 (delta): $.text"),
        ((FIRST, GRU, SSE_.replace(b"delta", b"other"), LAST), 'event 2: expected the name "delta", got "other"'),
        ((FIRST, GRU, SSE_.replace(b"\xc3\x9f", b"\xc3"), LAST), "not UTF-8"),
        ((), "expected 4 events, got 0"),
    ],
    ids=["missing", "extra", "reordered", "renamed", "broken text", "none"],
)
async def test_other_events_fail_in_every_variant(tmp_path: Path, events: tuple[bytes, ...], complaint: str) -> None:
    write_case(tmp_path, stream=True)
    result = await run(tmp_path, SmallGateway(on_response=only(*events)))
    assert complaint in text_of(result)
    assert len(result.faults) == result.variants


async def test_a_gateway_that_minds_how_bytes_are_cut_fails_in_that_variant_only(tmp_path: Path) -> None:
    write_case(tmp_path, stream=True)
    result = await run(tmp_path, SmallGateway(on_response=body(lambda raw: raw.replace(b"\r\n", b""))))
    assert set(result.faults) == {"CRLF", "inside CRLF"}


async def test_a_gateway_that_answers_nothing_fails(tmp_path: Path) -> None:
    write_case(tmp_path)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    port = free_port()
    server = await asyncio.start_server(silent, "127.0.0.1", port)
    try:
        result = await run(tmp_path, None, gateway_url=f"http://127.0.0.1:{port}", timeout_seconds=0.3)
    finally:
        server.close()
    assert "no complete answer within 0.3 s" in text_of(result)


async def test_a_gateway_that_is_not_there_fails(tmp_path: Path) -> None:
    write_case(tmp_path)
    assert "client: no answer" in text_of(await run(tmp_path, None))


async def test_a_provider_that_must_not_be_called_is_noticed(tmp_path: Path) -> None:
    folder = write_case(tmp_path, status=500)
    (folder / "upstream_response.json").unlink()
    (folder / "upstream_request.json").unlink()
    assert "must not reach it" in text_of(await run(tmp_path, SmallGateway()))


IGNORED = pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda answer: {**answer, "id": "y-9"}, None),
        (lambda answer: {**answer, "id": 9}, "$.id: expected some text, got 9"),
        (lambda answer: {name: value for name, value in answer.items() if name != "id"}, "$.id: missing"),
    ],
    ids=["another value", "another type", "missing"],
)


@IGNORED
async def test_an_ignored_value_must_be_there_and_have_its_type(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], complaint: str | None
) -> None:
    write_case(tmp_path, ignore=["id"])
    result = await run(tmp_path, SmallGateway(on_response=document(change)))
    assert result.passed if complaint is None else complaint in text_of(result)


async def test_an_ignored_text_that_repeats_must_repeat(tmp_path: Path) -> None:
    write_case(tmp_path, stream=True, ignore=["id"])
    other = SmallGateway(on_response=body(lambda raw: raw.replace(b"x-1", b"y-2")))
    assert (await run(tmp_path, other)).passed
    changing = SmallGateway(on_response=body(lambda raw: raw.replace(b"x-1", b"y-2", 1)))
    assert 'expected "y-2" again' in text_of(await run(tmp_path, changing))


async def test_contained_texts_and_optional_members(tmp_path: Path) -> None:
    folder = write_case(tmp_path, contains=["choices.*.message.content"], optional=["extra", "created"])
    (folder / "response.json").write_text(
        json.dumps({"id": "x-1", "choices": [{"message": {"content": "Welt"}}], "extra": 1})
    )
    assert (await run(tmp_path, SmallGateway())).passed
    wrong = SmallGateway(on_response=document(lambda answer: {**answer, "choices": [{"message": {"content": "W"}}]}))
    assert 'expected a text with "Welt"' in text_of(await run(tmp_path, wrong))


async def test_table_and_json_count_cases_and_variants(tmp_path: Path) -> None:
    write_case(tmp_path, stream=True)
    result = await run(tmp_path, SmallGateway())
    assert table([result]).splitlines()[1].split() == ["chat-chat", "1", "10", "1", "0"]
    assert as_json([result])[0]["passed"] is True


@pytest.mark.parametrize(
    ("meta", "complaint"),
    [
        ({"client": "gemini"}, "unknown format"),
        ({"ignored": ["id"]}, "ignored"),
    ],
)
def test_a_case_that_makes_no_sense_is_refused(tmp_path: Path, meta: dict[str, Any], complaint: str) -> None:
    folder = write_case(tmp_path, **meta)
    with pytest.raises(BadCase, match=complaint):
        load_case(folder)


def test_a_case_without_an_expected_answer_is_refused(tmp_path: Path) -> None:
    folder = write_case(tmp_path)
    (folder / "response.json").unlink()
    with pytest.raises(BadCase, match=r"response\.json"):
        load_case(folder)
