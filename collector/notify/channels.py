"""Where messages go: apprise services behind one thin class, and the log."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO
from urllib.parse import urlsplit

import apprise

from collector.config import Notify
from telemetry.errors import ConfigError, EnvironmentFault
from telemetry.secrets import read_secret

_KINDS: Mapping[str, str] = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
    "resolved": apprise.NotifyType.SUCCESS,
}


class Channel(Protocol):
    """One way to people. `name` is fit for logs and counters: it holds no secret."""

    name: str

    def send(self, title: str, body: str, level: str) -> str | None:
        """Deliver a message; None when it went through, else why not, in one line."""


class LogChannel:
    """One line a message on a stream: always there, and what the system's journal keeps."""

    name = "log"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, title: str, body: str, level: str) -> str | None:
        """Write the line."""
        stream = sys.stderr if self._stream is None else self._stream
        try:
            stream.write(f"{level}: {title}: {' / '.join(body.splitlines())}\n")
            stream.flush()
        except OSError as error:
            return str(error)
        return None


class AppriseChannel:
    """One apprise address. A few digits of its hash tell two of one service apart, in whatever order they stand."""

    def __init__(self, url: str) -> None:
        service = apprise.Apprise.instantiate(url)
        if service is None:
            raise ValueError(f"apprise knows no service for {_masked(url)}: see its list of addresses")
        self.name = f"{_masked(url)}#{hashlib.sha256(url.encode()).hexdigest()[:6]}"
        self._service = service

    def send(self, title: str, body: str, level: str) -> str | None:
        """Hand the message to the service."""
        try:
            sent = self._service.notify(body=body, title=title, notify_type=_KINDS[level])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None if sent else "the service did not take it"


def make_channels(config: Notify, source: str) -> list[Channel]:
    """The log and one channel an address; ConfigError names every address that cannot be used."""
    channels: list[Channel] = [LogChannel()]
    faults = []
    for path, url in _addresses(config, source):
        try:
            channels.append(AppriseChannel(url))
        except ValueError as error:
            faults.append(f"{path}: {error}")
    if faults:
        raise ConfigError(source, faults)
    return channels


def _addresses(config: Notify, source: str) -> Sequence[tuple[str, str]]:
    addresses = [(f"notify.urls[{index}]", url) for index, url in enumerate(config.urls)]
    if config.url_file:
        try:
            lines = read_secret(config.url_file).splitlines()
        except EnvironmentFault as error:
            raise ConfigError(source, [f"notify.url_file: {error}"]) from None
        addresses += [
            (f"{config.url_file}:{number}", line.strip())
            for number, line in enumerate(lines, start=1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
    return addresses


def _masked(url: str) -> str:
    """Scheme and host: the rest of an apprise address may be a token. Where even the host is one, the scheme alone."""
    try:
        parts = urlsplit(url)
        shown = parts.hostname if parts.scheme in ("json", "jsons", "xml", "xmls", "form", "forms") else None
    except ValueError:
        return "an address"
    return f"{parts.scheme}://{shown or '...'}"
