"""The configuration contract: what the YAML means, once it is loaded, migrated and normalised.

`runtime` is what the services read; `pipeline` makes it from YAML; `registry` answers which model a name means.
"""
