"""The command line: one module a command in `memfleet.commands`, imported when it is called for."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from memfleet.program import run_program

PROGRAM = "memfleet"
COMPLETE_VARIABLE = "_MEMFLEET_COMPLETE"
"""Set by the script of `memfleet completion` when a shell asks how a line may go on."""

COMMANDS: dict[str, str] = {
    "demo": "Show an emulated fleet: broker, collector and page, all on this machine.",
    "watch": "Watch the board on your desk: agent, broker, collector and page in one command.",
    "discover": "Find the devices that publish at a broker; write the configuration that reads them.",
    "map": "Try maps of published topics on messages, before anything is stored.",
    "agent": "Read devices at serial ports and brokers and publish their memory.",
    "replay": "Feed a saved console log through the whole path.",
    "emulate": "Publish an emulated fleet.",
    "collect": "Receive, store, judge and show a fleet.",
    "devices": "List the devices of a fleet, the worst first.",
    "show": "Show one device: facts, open alerts, newest values, newest events.",
    "query": "Print the readings of one series.",
    "alerts": "List open alerts; acknowledge and silence them.",
    "incidents": "List open incidents: faults, on however many devices; acknowledge, silence.",
    "leaks": "List what leaks, with bytes an hour and the hours left.",
    "top": "Watch the fleet in a terminal, the worst devices first.",
    "backtest": "Say what the judge would have said of readings that are over.",
    "rules": "Try rules on cases; list them.",
    "compare": "Say whether one firmware needs more memory than another.",
    "report": "Report what happened since, and what people were told.",
    "export": "Write the readings that a collector keeps, as JSON, CSV or line protocol.",
    "notify": "Send a test message to every channel.",
    "quarantine": "List what was refused; show, retry or purge it.",
    "agents": "List the gateways: connected, outbox, disk, clock.",
    "holes": "List stretches of time without readings, and why.",
    "doctor": "Check broker, page, stores, credentials, clock and disk, and say what to do.",
    "enroll": "Give an agent credentials and its own rights at the broker.",
    "revoke": "Withdraw an agent's credentials and rights.",
    "backup": "Copy a collector's files while it runs.",
    "check-config": "Name every fault of a configuration file.",
    "grafana": "Put data source and dashboards into Grafana.",
    "init": "Write a configuration file with every setting.",
    "parse": "Show what a saved console log says about memory.",
    "logs": "Show what a device printed.",
    "ports": "List serial ports with names that stay.",
    "release": "Borrow a port from a running agent, for a flash.",
    "case": "Turn console logs into test cases.",
    "trace": "Replay allocation traces on an emulated allocator.",
    "completion": "Print the script by which a shell completes commands and options.",
}
"""Every command with its one line of help; `memfleet.commands.<name>` holds a Typer `app` or a function `command`."""


class _LazyGroup(TyperGroup):
    """Lists all commands without importing them, so that `memfleet --help` needs none of the optional packages."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Typer's options for completion stay out: `memfleet completion` does not write into people's own files."""
        return [param for param in super().get_params(ctx) if not (param.name or "").endswith("_completion")]

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        return TyperCommand(name, help=COMMANDS[name]) if name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found, _, rest = super().resolve_command(ctx, args)
        return found, found and self._load(found), rest

    @staticmethod
    def _load(name: str) -> Any:
        module = importlib.import_module(f"memfleet.commands.{name.replace('-', '_')}")
        if hasattr(module, "app"):
            return typer.main.get_command(module.app)
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(name, help=module.command.__doc__ or COMMANDS[name])(module.command)
        return typer.main.get_command(single)


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)


def _tell_version(*, is_asked: bool) -> None:
    if is_asked:
        from memfleet.version import VERSION  # asks the packages that are installed: `--help` need not wait for that

        typer.echo(f"memfleet {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Watches the memory of embedded fleets: leaks, fragmented heaps and thinning stacks, days before devices die."""


def main() -> None:
    """Run the command line."""
    run_program(app)
