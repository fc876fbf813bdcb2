"""The routing service: what needs a model or a memory."""
