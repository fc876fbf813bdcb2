"""Wire formats of LLM APIs, the translation between them, and the provider catalogue. Pure Python, no I/O."""
