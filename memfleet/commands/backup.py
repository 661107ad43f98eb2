"""`memfleet backup`: a copy of a collector's files, taken while it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from memfleet.tables import print_json, print_table


def command(
    to: Annotated[Path, typer.Argument(help="Folder for the copy; it must be empty or missing.")],
    config: Annotated[Path | None, typer.Option(help="The collector's settings, TOML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy a collector's files while it runs; nothing needs to be stopped.

    To restore, end the collector, empty its data folder and put the files there: a log that a killed process left
    beside a file would be laid over the copy and damage it. What came after the copy is a counted hole.

    Example: [bold]memfleet backup --config collector.toml /mnt/backup/2026-11-20[/bold]
    """
    from collector.backup import back_up
    from collector.config import CollectorConfig
    from telemetry.settings import load

    settings = load(CollectorConfig, config, os.environ)
    sizes = back_up(Path(settings.data_dir), to)
    if as_json:
        print_json({"folder": str(to), "files": sizes})
        return
    rows = [(name, f"{size / 2**20:.1f}") for name, size in sizes.items()]
    print_table(("file", ">MiB"), rows, "Nothing to copy.")
