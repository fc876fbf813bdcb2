"""The supervisor: one process that starts the gateway's children in order, restarts what dies and stops them in order.

It knows nothing of the configuration: children are data, read from a plan file that `planoctl up` writes.
"""
