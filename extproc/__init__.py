"""The ext_proc sidecar: decides for each request which model, whose key and which wire format, and rewrites it."""
