"""A mock LLM provider: speaks the APIs of OpenAI, Anthropic, Amazon Bedrock and Google without a model.

It answers deterministically, refuses what the real APIs refuse, and misbehaves on request (see `behaviour`).
`planoctl mock-provider`, the tests and the documentation's examples run it.
"""
