"""Every error of ours, drawn once. An error says what its reader should do next.

MemfleetError
|- ConfigError      the user's file is wrong: every fault at once, each with its path; exit 2
|- UsageError       the command cannot be carried out as given; exit 2
|- EnvironmentFault a host, port, disk or server is missing; `retry` says whether waiting may help
|- WireError        bytes from outside do not follow the grammar; `reason` goes to quarantine
`- JournalError     a journal cannot be used as it is
"""

from __future__ import annotations

from collections.abc import Sequence


class MemfleetError(Exception):
    """Base of all errors that memfleet raises on purpose."""


class ConfigError(MemfleetError):
    """A configuration is wrong. `faults` holds one line per fault, each with its path in the file."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        self.source = source
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{source}: {fault}" for fault in self.faults))


class UsageError(MemfleetError):
    """A command cannot be carried out as given; the text says what to do instead."""


class EnvironmentFault(MemfleetError):  # noqa: N818 - a fault of the surroundings, not of the program
    """Something outside is missing or refuses. `retry` says whether waiting may help."""

    def __init__(self, message: str, *, retry: bool) -> None:
        self.retry = retry
        super().__init__(message)


class DiskFull(EnvironmentFault):
    """There is no room on a disk of ours: what was to be written waits, or is lost and counted."""

    def __init__(self, path: object, *, retry: bool) -> None:
        super().__init__(f"{path}: the disk is full", retry=retry)


class WireError(MemfleetError):
    """Bytes from outside do not follow the grammar: `reason` is a fixed word for counters, `detail` is free text."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class JournalError(MemfleetError):
    """A journal file cannot be used as it is."""
