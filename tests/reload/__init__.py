"""A gateway under load whose configuration changes all the time: `python -m tests.reload`."""
