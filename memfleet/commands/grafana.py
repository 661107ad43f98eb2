"""`memfleet grafana apply`: the data source, the folder and the dashboards, put into a Grafana."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from collector.config import CollectorConfig, StoreConfig
from memfleet.grafana import fleet
from memfleet.grafana.client import Grafana
from memfleet.grafana.provision import SOURCE, Source, changes
from telemetry.errors import UsageError
from telemetry.secrets import read_secret
from telemetry.settings import load

app = typer.Typer(no_args_is_help=True, help="Put data source and dashboards into Grafana.")


@app.callback()
def _group() -> None:
    """Put data source and dashboards into Grafana."""


@app.command()
def apply(
    url: Annotated[str, typer.Option(help="Grafana's address, as in a browser.")],
    token_file: Annotated[str, typer.Option(help="File with the token of a service account that is Admin.")],
    config: Annotated[Path, typer.Option(help="The collector's configuration: which InfluxDB it writes to.")],
    store: Annotated[str, typer.Option(help="Which of its stores; the first InfluxDB when not given.")] = "",
    source_url: Annotated[str, typer.Option(help="That InfluxDB's address as Grafana reaches it.")] = "",
    source_token_file: Annotated[str, typer.Option(help="A token or password of it that may only read.")] = "",
    ca_file: Annotated[str, typer.Option(help="Certificate authority of Grafana to trust, PEM.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write everything again, over edits made by hand.")] = False,
) -> None:
    """Put the data source, the folder and the dashboards into Grafana; a second time there is nothing to do.

    [bold]Example:[/bold] memfleet grafana apply --url http://localhost:3000 --token-file token --config collector.toml
    """
    chosen = _store(load(CollectorConfig, config, os.environ), store)
    source = _source(chosen, source_url, source_token_file)
    grafana = Grafana(url, read_secret(token_file), ca_file=ca_file)
    missing = list(changes(grafana, source, [fleet.dashboard(chosen.prefix, SOURCE)], force=force))
    for change in missing:
        typer.echo(f"{'would write' if dry_run else 'writing'} {change.why}")
        if not dry_run:
            grafana.send(change.method, change.path, change.body)
    if not missing:
        typer.echo("nothing to do")


def _store(config: CollectorConfig, name: str) -> StoreConfig:
    usable = [one for one in config.stores if one.kind == "influxdb" and name in ("", one.name)]
    if not usable:
        raise UsageError(
            f"the configuration has no InfluxDB store{f' named {name}' if name else ''} to show in Grafana"
        )
    return usable[0]


def _source(store: StoreConfig, url: str, secret_file: str) -> Source:
    own_file = store.password_file if store.username else store.token_file
    path = secret_file or own_file
    return Source(
        url=url or store.url,
        database=store.bucket if store.api == 2 else store.database,
        api=store.api,
        username=store.username,
        secret=read_secret(path) if path else "",
    )
