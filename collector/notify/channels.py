"""Where messages go: apprise services behind one thin class, and the log."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, Self, TextIO
from urllib.parse import urlsplit

import apprise
from apprise.logger import LOGGER_NAME

from collector.config import Notify, Route
from collector.notify.reach import Reach, limited
from telemetry.errors import ConfigError, EnvironmentFault
from telemetry.secrets import read_secret
from telemetry.visible import visible

_KINDS: Mapping[str, str] = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
    "resolved": apprise.NotifyType.SUCCESS,
}


_STATUS = re.compile(r"\berror[=: ]+(\d{3})\b")
_SYSTEM = ("builtins", "socket", "ssl", "http.client")
"""Modules whose errors do not quote the address, of which parts may be secret."""


class Channel(Protocol):
    """One way to people. `name` is fit for logs and counters: it holds no secret."""

    name: str

    def send(self, title: str, body: str, level: str, picture: bytes = b"") -> str | None:
        """Deliver a message; None when it went through, else why not, in one line.

        `picture` is a PNG, or empty; a channel that takes none leaves it out.
        """


class LogChannel:
    """One line a message on a stream: always there, and what the system's journal keeps."""

    name = "log"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, title: str, body: str, level: str, picture: bytes = b"") -> str | None:
        """Write the line."""
        stream = sys.stderr if self._stream is None else self._stream
        headline = title if title.startswith(f"{level}: ") else f"{level}: {title}"
        try:
            stream.write(visible(f"{headline}: {' / '.join(body.splitlines())}") + "\n")
            stream.flush()
        except OSError as error:
            return str(error)
        return None


class AppriseChannel:
    """One apprise address. A few digits of its hash tell two of one service apart, in whatever order they stand.

    It connects to what `reach` allows, and to nothing else, redirected or not. What is longer than the service takes
    goes out in parts, or cut where the address says `overflow=truncate`: sent as it is, it would be refused for ever.
    """

    def __init__(self, url: str, reach: Reach) -> None:
        service = apprise.Apprise.instantiate(url)
        if service is None and "://" not in url:
            raise ValueError("is no address: one begins with its service, as in mailto://")
        if service is None:
            raise ValueError(f"apprise knows no service for {_masked(url)}: see its list of addresses")
        self.name = f"{_masked(url)}#{hashlib.sha256(url.encode()).hexdigest()[:6]}"
        if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
            service.overflow_mode = apprise.OverflowMode.SPLIT
        self._service = service
        self._reach = reach

    def send(self, title: str, body: str, level: str, picture: bytes = b"") -> str | None:
        """Hand the message to the service."""
        self._reach.refused = ""
        picture = picture if self._service.attachment_support else b""
        try:
            with limited(self._reach), _attached(picture) as attach, _Failure() as failure:
                sent = self._service.notify(body=body, title=title, notify_type=_KINDS[level], attach=attach)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        if refused := self._reach.refused:
            return f"{refused} is no public address; allow its network in notify.private_networks if it is meant"
        return None if sent else failure.reason


class _Failure(logging.Handler):
    """Why a service did not take what this thread sends within the block: apprise tells its log alone.

    `reason` is made of the status of the answer or of the system's error: what apprise writes may hold a token.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reason = "the service did not take it"
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a line, and at the error that is being handled while it is written."""
        if record.thread != self._thread:
            return
        if cause := _cause(sys.exc_info()[1]):
            self.reason = f"no answer: {cause}"
        elif status := _STATUS.search(record.getMessage()):
            self.reason = f"it answered {status[1]}"

    def __enter__(self) -> Self:
        logging.getLogger(LOGGER_NAME).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(LOGGER_NAME).removeHandler(self)


def _cause(error: BaseException | None) -> str:
    """What the system said, in the end, of an error of a connection; "" where it said nothing."""
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    last = causes[-1] if causes else None
    if not isinstance(last, OSError) or type(last).__module__ not in _SYSTEM:
        return ""
    return last.strerror or str(last)


class Target(NamedTuple):
    """A channel, and which incidents it is told of; None: all."""

    channel: Channel
    route: Route | None


def make_targets(config: Notify, source: str) -> list[Target]:
    """The log and one channel an address, of routes too; ConfigError names every address that cannot be used."""
    targets = [Target(LogChannel(), None)]
    faults: list[str] = []
    try:
        Reach(config.private_networks)
    except ValueError as error:
        raise ConfigError(source, [f"notify.private_networks: {error}"]) from None
    places: list[tuple[str, Notify | Route, Route | None]] = [("notify", config, None)]
    places += [(f"notify.routes[{number}]", route, route) for number, route in enumerate(config.routes)]
    for path, given, route in places:
        for where, url in _addresses(given, path, source):
            try:
                targets.append(Target(AppriseChannel(url, Reach(config.private_networks)), route))
            except ValueError as error:
                faults.append(f"{where}: {error}")
    if faults:
        raise ConfigError(source, faults)
    return targets


def make_channels(config: Notify, source: str) -> list[Channel]:
    """Each channel once, whatever routes lead to it."""
    return list({target.channel.name: target.channel for target in make_targets(config, source)}.values())


def _addresses(given: Notify | Route, path: str, source: str) -> Sequence[tuple[str, str]]:
    addresses = [(f"{path}.urls[{index}]", url) for index, url in enumerate(given.urls)]
    if given.url_file:
        try:
            lines = read_secret(given.url_file).splitlines()
        except EnvironmentFault as error:
            raise ConfigError(source, [f"{path}.url_file: {error}"]) from None
        addresses += [
            (f"{given.url_file}:{number}", line.strip())
            for number, line in enumerate(lines, start=1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
    return addresses


@contextlib.contextmanager
def _attached(picture: bytes) -> Iterator[str | None]:
    """The picture as a file, which is how apprise takes one."""
    if not picture:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix="memfleet-", suffix=".png") as file:
        file.write(picture)
        file.flush()
        yield file.name


def _masked(url: str) -> str:
    """Scheme, host and port: the rest of an apprise address may be a token. Where even the host is one, the scheme."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("json", "jsons", "xml", "xmls", "form", "forms"):
            return f"{parts.scheme}://..."
        return f"{parts.scheme}://{parts.hostname or '...'}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "an address"
