"""`memfleet notify`: try out whom an alert would reach."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from telemetry.errors import UsageError


def command(
    test: Annotated[bool, typer.Option("--test", help="Send a test message to every channel.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="The collector's settings, TOML.")] = None,
) -> None:
    """Send a test message to every channel, and say of each whether it went through.

    Example: memfleet notify --test --config /etc/memfleet/collector.toml
    """
    from collector.config import CollectorConfig
    from collector.notify.channels import make_channels
    from telemetry.settings import load

    if not test:
        raise UsageError("notify: say --test to send a test message (alerts are sent by `memfleet collect`)")
    settings = load(CollectorConfig, config, os.environ)
    channels = make_channels(settings.notify, str(config or "settings"))
    failed = 0
    for channel in channels:
        error = channel.send("test message", f"memfleet can reach you from fleet {settings.fleet}.", "info")
        typer.echo(f"{channel.name}: {'sent' if error is None else f'failed: {error}'}")
        failed += error is not None
    if len(channels) == 1:
        typer.echo("No other channel is configured: add apprise addresses to notify.urls or notify.url_file.")
    if failed:
        raise typer.Exit(1)
