import pytest

from hermesllm.bedrock_models import bedrock_model


@pytest.mark.parametrize(
    ("name", "claude", "known", "caches", "json_schema", "top_k"),
    [
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", True, True, True, False, ("top_k",)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", True, True, True, True, ("top_k",)),
        ("global.anthropic.claude-opus-4-6-v1", True, True, True, True, ("top_k",)),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0", True, True, True, True,
         ("top_k",)),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0", False, True, True, False,
         ("inferenceConfig", "topK")),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3", True, False, True, False, ("top_k",)),
        ("my-claude", True, True, True, True, ("top_k",)),
        ("meta.llama3-1-8b-instruct-v1:0", False, True, False, False, ()),
        ("openai.gpt-oss-20b-1:0", False, True, False, False, ()),
        ("amazon.titan-text-express-v1", False, True, False, False, ("inferenceConfig", "topK")),
    ],
)  # fmt: skip
def test_what_a_model_id_tells(
    name: str, claude: bool, known: bool, caches: bool, json_schema: bool, top_k: tuple[str, ...]
) -> None:
    model = bedrock_model(name)
    assert (model.claude, model.known, model.caches) == (claude, known, caches)
    assert (model.json_schema_output, model.top_k) == (json_schema, top_k)
