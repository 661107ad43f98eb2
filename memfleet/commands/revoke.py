"""`memfleet revoke`: withdraw what `memfleet enroll` gave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memfleet.enrolment import passwords, rights
from memfleet.enrolment.certificates import Authority
from memfleet.enrolment.files import merge
from telemetry.errors import UsageError


def command(
    name: Annotated[str, typer.Argument(help="The agent (or collector).")],
    acl: Annotated[Path | None, typer.Option(help="The broker's access list, to be taken out of.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--passwords", help="The broker's password file, to be taken out of.")
    ] = None,
    authority: Annotated[Path | None, typer.Option(help="Folder of the certificate authority.")] = None,
) -> None:
    """Withdraw the rights and credentials of an agent: out of the broker's files, its certificates onto the list.

    Example: [bold]memfleet revoke gw-1 --acl /etc/mosquitto/acl --passwords /etc/mosquitto/passwords[/bold]
    """
    if acl is None and password_file is None and authority is None:
        raise UsageError("revoke from where? Name --acl, --passwords or --authority, as for 'memfleet enroll'")
    done = []
    if acl is not None and merge(acl, lambda text: rights.without_user(text, name)):
        done.append(f"took its rights out of {acl}")
    if password_file is not None and merge(password_file, lambda text: passwords.without_user(text, name)):
        done.append(f"took its password out of {password_file}")
    if authority is not None and (count := Authority(authority).revoke(name)):
        done.append(f"put {count} certificate{'s' * (count > 1)} of it onto {Authority(authority).revoked}")
    if not done:
        raise UsageError(f"{name} is in none of these: nothing to revoke")
    for sentence in done:
        typer.echo(sentence)
    certificate = " (restart it: mosquitto reads the list of revoked certificates when it starts)" if authority else ""
    typer.echo(f"Tell the broker: kill -HUP its process{certificate}.")
