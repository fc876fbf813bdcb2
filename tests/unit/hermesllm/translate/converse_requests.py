"""Translating requests to Converse in tests, with botocore's own model of the API as judge where it is installed."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.reading import request_bytes
from hermesllm.translate import Context, translator

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OLD_CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"
THINKING_CLAUDE = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
ADAPTIVE_CLAUDE = "us.anthropic.claude-opus-4-6-v1"
NOVA = "us.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
USER = {"role": "user", "content": "Hi"}


def problems(request: dict[str, Any], operation: str = "Converse") -> str:
    """What botocore finds wrong with a request; nothing where botocore is not installed."""
    try:
        from botocore.session import get_session
        from botocore.validate import ParamValidator
    except ImportError:
        return ""
    shape = get_session().get_service_model("bedrock-runtime").operation_model(operation).input_shape
    report: str = ParamValidator().validate({"modelId": "m", **request}, shape).generate_report()
    return report


def sent(
    client: Format, body: dict[str, Any], model: str = CLAUDE, *, valid: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """The Converse request of a client's, and what was dropped on the way."""
    context = Context(PROVIDERS["amazon_bedrock"], model)
    request = translator(client, Format.CONVERSE, context).request(body)
    request_bytes(request)
    if valid:
        assert problems(request) == ""
    return request, context.dropped
