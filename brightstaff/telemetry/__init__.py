"""Spans of what the gateway did: made of what the sidecar observed and brightstaff decided, exported in batches."""
