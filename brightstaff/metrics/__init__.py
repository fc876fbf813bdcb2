"""The gateway's metrics: those of this process, and those that the sidecar's workers report."""
