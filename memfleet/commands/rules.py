"""`memfleet rules`: try rules on cases, before they judge a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memfleet.tables import print_table

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def _rules() -> None:
    """Try rules on cases, and list them.

    Example: [bold]memfleet rules test my-cases.toml[/bold]
    """


@app.command("test")
def run_cases(
    file: Annotated[list[Path], typer.Argument(help="Files of cases, TOML; docs/rules.md shows one.")],
    rules: Annotated[
        Path | None, typer.Option("--rules", help="The rules; left out: those that the file names, or that ship.")
    ] = None,
) -> None:
    """Run cases through the judge: made-up readings, and the alerts that are to come of them.

    Exit status 1 when a case is not as expected; 2 when a file is wrong: the others are run, and every fault is named.

    Example: [bold]memfleet rules test my-cases.toml[/bold]
    """
    from collector.judge.case_files import load_cases
    from collector.judge.cases import run_case
    from collector.judge.rules import load_rules
    from telemetry.errors import ConfigError, UsageError

    failed, wrong = 0, []
    given = load_rules(rules) if rules else None
    for path in file:
        try:
            cases, judged = load_cases(path, given)
        except ConfigError as error:
            wrong.append(str(error))
            continue
        for case in cases:
            faults = run_case(case, judged)
            typer.echo(f"{'FAILED' if faults else 'ok'}  {path.name}: {case.name}")
            for fault in faults:
                typer.echo(f"        {fault}")
            failed += bool(faults)
    if wrong:
        raise UsageError("\n".join(wrong))
    if failed:
        raise typer.Exit(1)


@app.command("list")
def listing(
    file: Annotated[Path | None, typer.Argument(help="A file of rules; left out: those that ship.")] = None,
) -> None:
    """List the rules of a file, checked; every fault is named when there is one.

    Example: [bold]memfleet rules list[/bold]
    """
    from collector.judge.rules import load_rules

    print_table(
        ("rule", "kind", "severity", "platform", "when", "for"),
        (
            (rule.name, rule.kind, rule.severity, rule.settings.platform, rule.settings.when, rule.settings.for_)
            for rule in load_rules(file)
        ),
        "There is no rule.",
    )
