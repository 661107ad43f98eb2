"""`memfleet enroll`: credentials for an agent or a collector, and its exact rights at the broker."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from memfleet.enrolment import passwords, rights
from memfleet.enrolment.certificates import AUTHORITY_DAYS, Authority
from memfleet.enrolment.files import merge, read_text, require_new, write_secret
from telemetry.errors import UsageError
from telemetry.topics import require_name


class Role(StrEnum):
    """Who is enrolled."""

    agent = "agent"
    collector = "collector"
    broker = "broker"


AclOption = Annotated[Path | None, typer.Option("--acl", help="The broker's access list, to be merged into.")]
PasswordsOption = Annotated[
    Path | None, typer.Option("--passwords", help="The broker's password file, to be merged into.")
]
AuthorityOption = Annotated[
    Path | None, typer.Option("--authority", help="Folder of the certificate authority; made when it is not there.")
]


@dataclass(frozen=True, slots=True)
class _Enrolment:
    name: str
    fleet: str
    role: Role
    out: Path


def command(
    name: Annotated[str, typer.Argument(help="The agent (or collector), or the broker's host name.")],
    fleet: Annotated[str, typer.Option(help="The fleet that it belongs to.")] = "fleet",
    role: Annotated[Role, typer.Option(help="agent; collector; broker: a certificate for the server itself.")] = (
        Role.agent
    ),
    acl: AclOption = None,
    password_file: PasswordsOption = None,
    authority: AuthorityOption = None,
    out: Annotated[Path, typer.Option(help="Folder for the new secrets.")] = Path(),
    days: Annotated[int, typer.Option(min=1, max=AUTHORITY_DAYS, help="How long a certificate is good.")] = 365,
) -> None:
    """Give an agent credentials and exactly its own rights at the broker: mosquitto's files, merged or printed.

    A password, or with --authority a certificate. No file that exists is written over; the secret itself goes into a
    new file that its owner alone can read.

    Example: [bold]memfleet enroll gw-1 --fleet plant --acl acl --passwords passwords --out /etc/memfleet[/bold]
    """
    require_name(name, "name")
    wanted = _Enrolment(name, require_name(fleet, "--fleet"), role, out)
    if role is Role.broker and authority is None:
        raise UsageError("a broker proves itself by a certificate: name the folder of the authority with --authority")
    _require_unknown(name, acl, rights.has_user)
    _require_unknown(name, password_file, passwords.has_user)
    broker = _certificate(wanted, authority, days) if authority else _password(wanted, password_file)
    if role is not Role.broker:
        _grant(wanted, acl)
        _show("Its configuration:", ["[broker]", *(f"{key} = {json.dumps(value)}" for key, value in broker.items())])
    typer.echo("\nTell the broker: kill -HUP its process (or restart it).")


def _require_unknown(name: str, file: Path | None, knows: Callable[[str, str], bool]) -> None:
    if file is not None and knows(read_text(file), name):
        raise UsageError(f"{name} is in {file} already; 'memfleet revoke {name}' withdraws it first")


def _password(wanted: _Enrolment, file: Path | None) -> dict[str, str]:
    secret_file = wanted.out / f"{wanted.name}.password"
    require_new(secret_file)
    secret = secrets.token_urlsafe(32)
    line = passwords.password_line(wanted.name, secret, secrets.token_bytes(passwords.SALT_BYTES))
    write_secret(secret_file, secret + "\n")
    typer.echo(f"wrote {secret_file}: the password, for {wanted.name} alone")
    if file is None:
        _show("For the broker's password file:", [line])
    else:
        merge(file, lambda text: passwords.with_line(text, line))
        typer.echo(f"added {wanted.name} to {file}")
    return {"username": wanted.name, "password_file": str(secret_file)}


def _certificate(wanted: _Enrolment, folder: Path, days: int) -> dict[str, str]:
    authority = Authority(folder)
    authority.ensure(wanted.fleet)
    certificate, key = authority.issue(wanted.name, wanted.role, wanted.out, days)
    typer.echo(f"wrote {certificate} and {key}; trust {authority.certificate}, revocations in {authority.revoked}")
    return {"ca_file": str(authority.certificate), "cert_file": str(certificate), "key_file": str(key)}


def _grant(wanted: _Enrolment, acl: Path | None) -> None:
    lines = rights.RIGHTS[wanted.role](wanted.fleet, wanted.name)
    if acl is None:
        _show("For the broker's access list:", [f"user {wanted.name}", *lines])
    else:
        merge(acl, lambda text: rights.with_user(text, wanted.name, lines))
        typer.echo(f"added the rights of {wanted.name} to {acl}")


def _show(head: str, lines: list[str]) -> None:
    typer.echo("\n".join(["", head, *(f"    {line}" for line in lines)]))
