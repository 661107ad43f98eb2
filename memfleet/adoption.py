"""Taking over a dead collector: its data folder is all that it was, so whoever runs its parts on that folder is it.

Journals, cursors, the judge's state, anchors and owners stand in the folder, and the broker keeps the session of its
name: nothing is copied or merged, so nothing can be lost or counted twice. `collector.json` in the folder says which
collector it is, and who adopted it: the dead one, come back, is refused the folder. `broker.toml` beside it holds the
dead one's own login, as the settings below [broker]: a broker that takes the user for the client (as the shipped
mosquitto does) would end our own connection when a second one came by our login.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from collector.config import CollectorConfig
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import make_folder, write_whole
from telemetry.settings import Broker, load

FILE = "collector.json"
LOGIN = "broker.toml"


class Identity(msgspec.Struct, frozen=True):
    """Whose folder it is: a collector's fleet, name and shards (None: all), and the name of who adopted it, if any."""

    fleet: str
    name: str
    shards: tuple[str, ...] | None = None
    adopted_by: str = ""


def still_ours(config: CollectorConfig, directory: Path) -> None:
    """EnvironmentFault when another collector has adopted the folder meanwhile."""
    known = _read(directory)
    if known is not None and known.adopted_by not in ("", config.name):
        raise EnvironmentFault(
            f"{directory} was adopted by collector {known.adopted_by}, which serves its agents now: end that one's "
            f"--adopt and remove {directory / FILE} to have it back, or start with an empty folder and other shards",
            retry=False,
        )


def move_in(config: CollectorConfig, directory: Path) -> None:
    """Write down whose folder it is. EnvironmentFault when another collector has adopted it meanwhile."""
    still_ours(config, directory)
    own = Identity(config.fleet, config.name, config.shards)
    if _read(directory) != own:
        _write(directory, own)


@contextlib.contextmanager
def taken_over(directory: Path, adopter: str) -> Iterator[None]:
    """Write down who adopted the folder, which nobody else may hold by then; it stays so unless the block ends in a
    UsageError: who cannot begin has taken nothing over."""
    known = _identity(directory)
    if known.adopted_by == adopter:
        yield
        return
    _write(directory, msgspec.structs.replace(known, adopted_by=adopter))
    try:
        yield
    except UsageError:
        _write(directory, known)
        raise


def adopted_settings(config: CollectorConfig, directory: Path, place: int) -> CollectorConfig:
    """The settings that run a dead collector's folder: its name and shards with our broker, stores and rules.

    `place` (from 1 on) numbers the adopted folders: their pages listen that much above ours. UsageError when the
    folder is no collector's or of another fleet.
    """
    known = _identity(directory)
    if known.fleet != config.fleet:
        raise UsageError(f"--adopt {directory}: it is of fleet {known.fleet}, this collector serves {config.fleet}")
    if known.name == config.name:
        raise UsageError(
            f"--adopt {directory}: it is of a collector named {known.name} too; the broker needs two names"
        )
    port = config.page.port + place if config.page.port else 0
    return msgspec.structs.replace(
        config,
        name=known.name,
        shards=known.shards,
        data_dir=str(directory),
        broker=_login(config.broker, directory),
        page=msgspec.structs.replace(config.page, port=port),
    )


def _login(own: Broker, directory: Path) -> Broker:
    file = directory / LOGIN
    if file.exists():
        return load(Broker, file, {})
    if own.username or own.cert_file:
        raise UsageError(
            f"--adopt {directory}: put that collector's own login into {file}: url, username and password_file, or "
            "url, ca_file, cert_file and key_file; by ours the broker would take it for this collector"
        )
    return own


def _identity(directory: Path) -> Identity:
    known = _read(directory)
    if known is None:
        raise UsageError(f"--adopt {directory}: there is no {FILE} of a collector in it")
    return known


def _read(directory: Path) -> Identity | None:
    try:
        return msgspec.json.decode((directory / FILE).read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFault(f"{directory / FILE}: {error}", retry=False) from None


def _write(directory: Path, identity: Identity) -> None:
    make_folder(directory)
    write_whole(directory / FILE, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")
