"""Bringing a changed configuration to processes that run, without a request noticing."""
