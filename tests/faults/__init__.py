"""The fault table: what is done to the gateway, what a client sees of it, how soon, and that the next request works.

`make faults` tries every case and writes docs/faults.md; tests/integration/test_fault_table.py tries the quick ones.
"""
