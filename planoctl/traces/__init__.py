"""Traces on this host: a collector that receives spans over OTLP and keeps the latest, and what shows them."""

DEFAULT_PORT = 4317
"""OTLP over gRPC. OTLP over HTTP is on the port after it unless said otherwise."""
