"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8080"

UrlOption = Annotated[str, typer.Option("--url", envvar="MEMFLEET_URL", help="Address of the collector's page.")]
TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", help="File that holds the token; MEMFLEET_TOKEN holds the token itself."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def agent_folder(data: Path) -> Path:
    """The folder of an agent that `--data` names: itself, or that of the agent within a folder of `memfleet watch`."""
    within = data / "agent"
    return within if (within / "outbox.journal").exists() else data
