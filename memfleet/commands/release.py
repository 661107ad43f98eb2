"""`memfleet release`: borrow a port from a running agent."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.config import AgentConfig
from memfleet.options import agent_folder
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.settings import load

ANSWER_S = 10.0

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def command(
    port: Annotated[str, typer.Argument(help="The port as configured, or the name of its device.")],
    words: Annotated[list[str], typer.Argument(help="What to run meanwhile, after --.", metavar="COMMAND")],
    data: Annotated[Path | None, typer.Option(help="The data folder of the agent, or of watch.")] = None,
    config: Annotated[Path | None, typer.Option(help="The agent's configuration file.")] = None,
) -> None:
    """Make the agent let go of a port, run a command (a flash, a test), and give the port back, however it ends.

    Options stand before the port. The exit status is the command's.

    [bold]Example:[/bold] memfleet release bench-7 -- idf.py -p /dev/ttyUSB0 flash
    """
    if words[0] in ("--data", "--config"):
        raise UsageError(f"{words[0]} stands before the port: memfleet release {words[0]} ... {port} -- COMMAND")
    if words[0] == "--":
        words = words[1:]
    if not words:
        raise UsageError("name the command to run meanwhile, after --")
    directory = agent_folder(data or Path(load(AgentConfig, config, os.environ).data_dir))
    with borrowed(directory / "control", port) as released:
        sys.stderr.write(f"{released}: released; running {shlex.join(words)}\n")
        try:
            status = subprocess.run(words, check=False).returncode
        except OSError as error:
            raise UsageError(f"{words[0]}: cannot be run: {error.strerror}") from None
    sys.stderr.write(f"{released}: given back\n")
    raise SystemExit(status if status >= 0 else 128 - status)


class borrowed:  # noqa: N801 - used like a function
    """The port, held for the length of a `with` block: the agent takes it back when the connection ends."""

    def __init__(self, control: Path, name: str) -> None:
        self._control = control
        self._name = name

    def __enter__(self) -> str:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(ANSWER_S)
        try:
            self._connection.connect(str(self._control))
            self._connection.send(f"release {self._name}\n".encode())
            answer = self._connection.recv(65_536).decode().strip()
        except OSError as error:
            self._connection.close()
            raise EnvironmentFault(
                f"no agent answers at {self._control} ({error.strerror or error}); is --data its folder?", retry=True
            ) from None
        verb, _, rest = answer.partition(" ")
        if verb != "released":
            self._connection.close()
            raise UsageError(f"the agent reads no port or device {self._name!r}; it reads {rest}")
        return rest

    def __exit__(self, *_: object) -> None:
        self._connection.close()
