"""Quotas of tokens and requests: rules match a request, a store keeps what was used, settling corrects it."""
