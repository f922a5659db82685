"""``envfreeze completion``: shell completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from envfreeze.cli._common import emit, output_options


@click.command("completion", epilog='Example:  eval "$(envfreeze completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_options
@click.pass_context
def completion(ctx: click.Context, shell: str, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Print the completion script for SHELL; source it in the shell's start-up file."""
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "envfreeze", "_ENVFREEZE_COMPLETE").source()
    if as_json:
        emit({"shell": shell, "script": script})
    else:
        click.echo(script)
    return 0


COMMAND = completion
