"""Options that many commands have."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemetry.errors import EnvironmentFault

if TYPE_CHECKING:  # most commands have these options and no need of settings
    from agent.config import AgentConfig

DEFAULT_URL = "http://127.0.0.1:8080"

UrlOption = Annotated[str, typer.Option("--url", envvar="MEMFLEET_URL", help="Address of the collector's page.")]
TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", help="File that holds the token; MEMFLEET_TOKEN holds the token itself."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def must_be_writable(path: Path) -> None:
    """EnvironmentFault when no file can be written at that place: said before the work that is to fill it."""
    fault = 0
    if path.is_dir():
        fault = errno.EISDIR
    elif not path.parent.is_dir():
        fault = errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        fault = errno.EACCES
    if fault:
        raise EnvironmentFault(f"{path} cannot be written: {os.strerror(fault)}", retry=False)


def agent_folder(data: Path) -> Path:
    """The folder of an agent that `--data` names: itself, or that of the agent within a folder of `memfleet watch`."""
    within = data / "agent"
    return within if (within / "outbox.journal").exists() else data


def outbox_folder(settings: AgentConfig, data: str | None) -> Path:
    """Where a program that publishes beside a gateway keeps its outbox: in `--data`, else in a folder of its own name
    within the gateway's."""
    return Path(data) if data else Path(settings.data_dir) / settings.name
