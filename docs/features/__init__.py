"""Which feature of each API reaches which provider: found out by running the translators on probes.

`chat`, `messages` and `responses` hold the probes of requests, one module per client format, and `answers` those of
answers; `outcome` runs them, `table` writes the tables of docs/translation.md, and the tests refuse any that is lost.
"""
