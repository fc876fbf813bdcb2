"""The headers of an ext_proc message."""

from plano_pb import ext_proc_pb2 as pb


def header_values(message: pb.HttpHeaders) -> dict[str, str]:
    """Headers by lower-case name, one letter per byte; of a repeated header the first value counts."""
    sent = message.headers.headers
    headers = {header.key: header.raw_value.decode("latin-1") for header in sent}
    if len(headers) < len(sent):
        headers = {header.key: header.raw_value.decode("latin-1") for header in reversed(sent)}
    return headers
