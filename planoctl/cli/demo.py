"""`planoctl demo`."""

import os

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import BRAND, header, say, success
from planoctl.cli.errors import CliError
from planoctl.instance import Instance

_QUESTION = "What does an AI gateway do?"
_ANSWER_SECONDS = 20.0


@click.command()
@options.listener_port
@options.envoy_path
@options.log_level
@options.verbose
def demo(listener_port: int, envoy_path: str | None, log_level: str) -> None:
    """Start a gateway with a fake provider and ask it something.

    It runs as an instance of its own, called demo, and goes on running until `planoctl down --instance demo`.
    """
    from planoctl.cli.start import start_in_background
    from planoctl.supervise.plan import StartRequest

    header()
    instance = Instance.named("demo", os.environ)
    request = StartRequest(
        demo=True, listener_port=listener_port, envoy_path=envoy_path, log_level=log_level, workers=1, concurrency=1
    )
    start_in_background(request, instance)
    url = f"http://127.0.0.1:{listener_port}"
    say()
    for model in ("mock-gpt", "mock-claude"):
        _ask(url, model)
    success("the gateway answered, and goes on running")
    say("To stop it: planoctl down --instance demo")


def _ask(url: str, model: str) -> None:
    """Send one chat completion through the gateway and print it."""
    import httpx

    body = {"model": model, "messages": [{"role": "user", "content": _QUESTION}]}
    try:
        response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=_ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise CliError(f"the gateway did not answer: {error}", remedy="planoctl logs --instance demo") from error
    if response.status_code != httpx.codes.OK:
        raise CliError(
            f"the gateway answered {response.status_code}: {response.text[:500]}",
            remedy="planoctl logs --instance demo",
        )
    answer = response.json()
    usage = answer.get("usage") or {}
    say(f"{model} ← {_QUESTION}", style=BRAND)
    say(f"{model} → {answer['choices'][0]['message']['content']}", style=BRAND)
    say(f"  usage: {usage.get('prompt_tokens')} tokens in, {usage.get('completion_tokens')} out")
    say()
