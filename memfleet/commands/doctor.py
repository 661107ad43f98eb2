"""`memfleet doctor`: is everything as a collector needs it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from collector.config import CollectorConfig
from memfleet.client import JsonOption
from memfleet.commands.check_config import role_of
from memfleet.commands.init import Role
from memfleet.doctor.broker import check_broker
from memfleet.doctor.channels import check_channels
from memfleet.doctor.deep import check_deep
from memfleet.doctor.finding import Found
from memfleet.doctor.machine import check_clock, check_data_folder, check_series
from memfleet.doctor.page import check_page
from memfleet.doctor.peers import check_peers
from memfleet.doctor.quarantine import check_quarantine
from memfleet.doctor.stores import check_refused, check_store, check_waiting
from memfleet.tables import print_json, print_table
from telemetry.clock import wall_ms
from telemetry.errors import UsageError
from telemetry.settings import load

_STYLES = {"ok": "green", "doubtful": "yellow", "wrong": "bold red"}


def command(
    config: Annotated[Path, typer.Option(help="The collector's configuration.")],
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Also write a marked fleet to each store, try every dashboard's queries, clean up."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check broker, page, peers, stores, credentials, channels, clock and disk, and say what to do about what is wrong.

    Exit status 1 when something is.

    Example: [bold]memfleet doctor --config /etc/memfleet/collector.toml --deep[/bold]
    """
    if role_of(config) is Role.agent:
        raise UsageError(
            f"{config} is the configuration of an agent, and doctor looks at a collector's: 'memfleet check-config "
            f"{config}' checks it, 'memfleet agents' says how the agent is doing"
        )
    found = list(_checks(load(CollectorConfig, config, os.environ), deep))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    else:
        rows = ((Text(one.state, _STYLES[one.state]), one.what, one.sentence, one.advice) for one in found)
        print_table(("state", "what", "reason", "detail"), rows, "Nothing was checked.")
    if any(one.state == "wrong" for one in found):
        raise typer.Exit(1)


def _checks(config: CollectorConfig, deep: bool) -> Iterator[Found]:
    yield check_data_folder(config)
    yield from filter(None, [check_series(config)])
    yield check_clock()
    yield check_broker(config)
    yield check_page(config)
    yield from check_peers(config)
    yield from check_quarantine(Path(config.data_dir), wall_ms())
    for store in config.stores:
        found = check_store(store)
        yield found
        folder = Path(config.data_dir)
        yield from filter(None, (check_waiting(folder, store), check_refused(folder, store, wall_ms())))
        if deep and found.state != "wrong":
            yield from check_deep(store)
    yield from check_channels(config, wall_ms())
