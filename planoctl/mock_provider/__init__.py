"""A mock LLM provider: speaks the OpenAI Chat Completions and Anthropic Messages APIs without a model.

It answers deterministically, refuses what the real APIs refuse, and misbehaves on request (see `behaviour`).
`planoctl mock-provider`, the tests and the documentation's examples run it.
"""
