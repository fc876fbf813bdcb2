"""The Bedrock face of the mock, through boto3."""

import json

import pytest
from botocore.exceptions import ClientError, EventStreamError

WEATHER = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    }
}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def user(text: str) -> dict:
    return {"role": "user", "content": [{"text": text}]}


def ask(client, *messages, model="mock-claude", **parameters):
    return client.converse(modelId=model, messages=list(messages) or [user("hello")], **parameters)


def stream(client, *messages, model="mock-claude", **parameters) -> list[tuple[str, dict]]:
    answer = client.converse_stream(modelId=model, messages=list(messages) or [user("hello")], **parameters)
    return [next(iter(event.items())) for event in answer["stream"]]


def test_repeats_the_last_user_message_and_the_system_prompt(bedrock):
    answer = ask(bedrock, user("echo system"), system=[{"text": "be brief"}])
    assert answer["output"]["message"]["content"] == [{"text": "You said: echo system [system: be brief]"}]
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    parts = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    assert usage["totalTokens"] == sum(usage[name] for name in parts)


def test_model_ids_may_need_escaping(bedrock, mock):
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.mock-claude-v1:0"
    assert ask(bedrock, model=arn)["stopReason"] == "end_turn"
    assert "inference-profile%2Fus.mock-claude-v1%3A0/converse" in mock.requests[-1]["path"]


def test_stream_has_the_documented_events(bedrock):
    events = stream(bedrock, user("one two"), additionalModelRequestFields=THINKING)
    assert list(dict.fromkeys(kind for kind, _ in events)) == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    deltas = [event["delta"] for kind, event in events if kind == "contentBlockDelta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "You said: one two"
    thought = "".join(delta.get("reasoningContent", {}).get("text", "") for delta in deltas)
    assert thought == "The user wrote: one two"
    assert any("signature" in delta.get("reasoningContent", {}) for delta in deltas)
    assert events[-1][1]["usage"] == ask(bedrock, user("one two"), additionalModelRequestFields=THINKING)["usage"]


def test_streams_tool_calls_in_pieces_and_quotes_the_results(bedrock):
    tools = {"tools": [WEATHER]}
    events = stream(bedrock, user("call get_weather"), toolConfig=tools)
    start = next(event["start"]["toolUse"] for kind, event in events if kind == "contentBlockStart")
    inputs = [event["delta"]["toolUse"]["input"] for kind, event in events if kind == "contentBlockDelta"]
    assert (start["name"], len(inputs)) == ("get_weather", 4)
    assert json.loads("".join(inputs)) == {"city": "mock city"}
    call = {"toolUse": start | {"input": json.loads("".join(inputs))}}
    result = {"toolResult": {"toolUseId": start["toolUseId"], "content": [{"text": "sunny"}]}}
    history = (
        user("call get_weather"),
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    )
    answer = ask(bedrock, *history, toolConfig=tools)
    assert answer["output"]["message"]["content"] == [{"text": "The tool said: sunny"}]


def test_signed_thinking_must_come_back_unchanged(bedrock):
    said = ask(bedrock, additionalModelRequestFields=THINKING)["output"]["message"]
    assert ask(bedrock, user("hello"), said, user("more"))["stopReason"] == "end_turn"
    said["content"][0]["reasoningContent"]["reasoningText"]["signature"] = "forged"
    with pytest.raises(ClientError, match="Invalid `signature` in `thinking` block"):
        ask(bedrock, user("hello"), said, user("more"))


def test_answer_ends_at_the_token_limit_or_the_stop_sequence(bedrock):
    assert ask(bedrock, user("a b"), inferenceConfig={"maxTokens": 2})["stopReason"] == "max_tokens"
    assert ask(bedrock, user("a b"), inferenceConfig={"stopSequences": ["b"]})["stopReason"] == "stop_sequence"


def test_structured_answer_follows_the_schema(bedrock):
    schema = json.dumps({"type": "object", "properties": {"name": {"type": "string"}}})
    format_ = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "person"}}}
    answer = ask(bedrock, outputConfig={"textFormat": format_})
    assert json.loads(answer["output"]["message"]["content"][0]["text"]) == {"name": "mock name"}


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
@pytest.mark.parametrize("call", [ask, stream])
def test_status_names_the_exception(bedrock, status, exception, call):
    with pytest.raises(ClientError) as caught:
        call(bedrock, model=f"mock-claude@status={status}")
    assert caught.value.response["Error"]["Code"] == exception
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_wrong_key_is_403(bedrock_with_wrong_key):
    with pytest.raises(ClientError) as caught:
        ask(bedrock_with_wrong_key)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_exception_in_the_stream(bedrock):
    with pytest.raises(EventStreamError, match=r"modelStreamErrorException.*asked for an error in the stream"):
        stream(bedrock, model="mock-claude@error-event=2")


@pytest.mark.parametrize(
    ("messages", "parameters", "message"),
    [
        ([{"role": "assistant", "content": [{"text": "a"}]}], {}, "must start with a user message"),
        ([user("a"), user("b")], {}, "must alternate between user and assistant"),
        ([user(" ")], {}, "The text field in the ContentBlock object at messages.0.content.0 is blank"),
        ([user("a")], {"inferenceConfig": {"temperature": 1.5}}, "must be a number from 0 to 1"),
        (
            [{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "a"}]}}]}],
            {"toolConfig": {"tools": [WEATHER]}},
            "exceeds the number of toolUse blocks",
        ),
        (
            [
                user("a"),
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
                user("b"),
            ],
            {"toolConfig": {"tools": [WEATHER]}},
            "Expected toolResult blocks at messages.2.content for the following Ids: t",
        ),
    ],
)
def test_refuses_what_bedrock_refuses(bedrock, messages, parameters, message):
    with pytest.raises(ClientError, match=message):
        ask(bedrock, *messages, **parameters)
