"""The router that asks a model: prompt, call, and what its answer means."""
