"""`memfleet grafana apply`: the data source, the folder and the dashboards, put into a Grafana."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.config import CollectorConfig, StoreConfig
from memfleet.grafana.alerts import rule_group
from memfleet.grafana.client import Grafana
from memfleet.grafana.mapping import mappings_of
from memfleet.grafana.provision import FOLDER, Change, Metrics, Source, changes
from memfleet.grafana.sets import SETS
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.secrets import read_secret
from telemetry.settings import load

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Put data source and dashboards into Grafana.")

MOST_LINES = 40
"""Of a difference that is shown."""


@app.callback()
def _group() -> None:
    """Put data source and dashboards into Grafana."""


@app.command()
def apply(
    url: Annotated[str, typer.Option(help="Grafana's address, as in a browser.")],
    token_file: Annotated[str, typer.Option(help="File with the token of a service account that is Admin.")],
    config: Annotated[Path, typer.Option(help="The collector's configuration: which store it writes to.")],
    store: Annotated[str, typer.Option(help="Which of its stores; the first when not given.")] = "",
    source_url: Annotated[str, typer.Option(help="That store's address as Grafana reaches it.")] = "",
    source_token_file: Annotated[str, typer.Option(help="A token or password of it that may only read.")] = "",
    ca_file: Annotated[str, typer.Option(help="Certificate authority of Grafana to trust, PEM.")] = "",
    alerts: Annotated[bool, typer.Option("--alerts", help="Also rules that watch the collector itself.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write everything again, over edits made by hand.")] = False,
) -> None:
    """Put the data source, the folder and the dashboards into Grafana; a second time there is nothing to do.

    [bold]Example:[/bold] memfleet grafana apply --url http://localhost:3000 --token-file token --config collector.toml
    """
    chosen = _store(load(CollectorConfig, config, os.environ), store)
    source = _source(chosen, source_url, source_token_file)
    grafana = Grafana(url, read_secret(token_file), ca_file=ca_file)
    uid = source.body()["uid"]
    rules = rule_group(chosen.kind, chosen.prefix, uid, FOLDER) if alerts else None
    found = list(changes(grafana, source, SETS[chosen.kind](chosen.prefix, uid), rules, force=force))
    for change in found:
        _say(change, dry_run)
        if not dry_run and not change.kept:
            grafana.send(change.method, change.path, change.body)
    mapped = chosen.kind == "influxdb" and chosen.api == 2 and _map(chosen, dry_run)
    if not found and not mapped:
        typer.echo("nothing to do")


def _say(change: Change, dry_run: bool) -> None:
    word = "keeping" if change.kept else "would write" if dry_run else "writing"
    typer.echo(f"{word} {change.why}")
    if dry_run or change.kept:
        for line in change.difference[:MOST_LINES]:
            typer.echo(f"    {line}")
        if len(change.difference) > MOST_LINES:
            typer.echo(f"    ... and {len(change.difference) - MOST_LINES} more lines")


def _map(store: StoreConfig, dry_run: bool) -> bool:
    """See to it that InfluxDB 2 answers InfluxQL for the bucket; whether there was anything to do."""
    with mappings_of(store) as mappings:
        try:
            if not mappings.missing():
                return False
            typer.echo(f"{'would write' if dry_run else 'writing'} mapping of database {store.bucket}: new")
            if not dry_run:
                mappings.make()
        except EnvironmentFault as error:
            typer.echo(f"mapping not checked: {error}", err=True)
            return False
    return True


def _store(config: CollectorConfig, name: str) -> StoreConfig:
    usable = [one for one in config.stores if name in ("", one.name)]
    if not usable:
        known = ", ".join(one.name for one in config.stores)
        wanted = f"no store {name!r}; it has {known}" if name and known else "no store to show in Grafana"
        raise UsageError(f"the configuration has {wanted}")
    return usable[0]


def _source(store: StoreConfig, url: str, secret_file: str) -> Source | Metrics:
    if store.kind == "victoriametrics":
        return Metrics(url or store.url)
    return Source(
        url=url or store.url,
        database=store.bucket if store.api == 2 else store.database,
        api=store.api,
        username=store.username,
        secret=_secret(store, secret_file),
    )


def _secret(store: StoreConfig, path: str) -> str:
    """The secret that Grafana is to read with: of the file, else typed in, else the collector's own."""
    if path:
        return read_secret(path)
    own = store.password_file if store.username else store.token_file
    if not own:
        return ""
    if sys.stdin.isatty():
        typed: str = typer.prompt("A token or password that may only read; empty: the collector's own", "", True, False)
        if typed:
            return typed
    typer.echo("Grafana gets the collector's own secret, which may write; --source-token-file gives another", err=True)
    return read_secret(own)
