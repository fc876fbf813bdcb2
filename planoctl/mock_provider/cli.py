"""`planoctl mock-provider`: runs the mock in the foreground."""

from pathlib import Path

import rich_click as click

from planoctl.mock_provider import server
from planoctl.mock_provider.app import create_app
from planoctl.mock_provider.behaviour import BEHAVIOURS, HEADER

_FILE = click.Path(dir_okay=False, path_type=Path)
_HELP = f"""Run a fake LLM provider that speaks the APIs of OpenAI, Anthropic, Amazon Bedrock and Google.

Its answers repeat the user's message. `call <tool>` in the message makes it call that tool, `echo system` makes it
repeat the system prompt. It misbehaves on request: items joined by `;` in the header {HEADER}, or after `@` in the
model's name (`mock-gpt@status=429;retry-after=3`). GET /__requests shows the last 1000 requests, DELETE forgets them.

\b
""" + "\n".join(f"{name}{'' if text.startswith('=') else ': '}{text}" for name, text in BEHAVIOURS.items())


@click.command(name="mock-provider", help=_HELP)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=10501, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--key", help="Credential to require, wherever an API has it; of AWS, the access key id.")
@click.option("--record", type=_FILE, help="File to append each received request to, as one JSON line.")
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM); turns TLS on.")
@click.option("--tls-key", type=_FILE, help="Private key (PEM) of the certificate.")
def mock_provider(
    host: str, port: int, key: str | None, record: Path | None, tls_cert: Path | None, tls_key: Path | None
) -> None:
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    try:
        bound = server.listen(host, port)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error
    with bound:
        click.echo(f"mock provider listening on {server.url_of(bound, tls=tls_cert is not None)}")
        server.build(create_app(key=key, record=record), tls_cert=tls_cert, tls_key=tls_key).run(sockets=[bound])
