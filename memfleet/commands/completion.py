"""`memfleet completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import shell_complete
from typer.main import get_command

from memfleet import cli


class Shell(StrEnum):
    """A shell that can complete."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def command(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print the script by which a shell completes commands, options and their values.

    It asks memfleet itself, so it is never out of date. `~/.bashrc`: `eval "$(memfleet completion bash)"`; `~/.zshrc`,
    after compinit: `eval "$(memfleet completion zsh)"`; fish: `memfleet completion fish | source` in `config.fish`.

    Example: [bold]memfleet completion bash[/bold]
    """
    shell_complete(get_command(cli.app), {}, cli.PROGRAM, cli.COMPLETE_VARIABLE, f"source_{shell}")
