"""What is known of devices that have not measured anything yet: who they are, until they do. Bounded."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from agent.maps.report import Report

HELD_MOST = 10_000

Key = tuple[str, str]


class Held:
    """Identities by family and alias. On a shared broker most of what says hello has no memory to tell of."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, Report] = OrderedDict()
        self._by_name: dict[Key, Key] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, report: Report) -> None:
        """Keep what a report says of who it is; the oldest goes first when there are too many."""
        key = (report.family, report.alias)
        before = self._held.get(key)
        self._held[key] = _merged(before, report) if before else report
        self._by_name[_short(key)] = key
        if len(self._held) > HELD_MOST:
            oldest, _ = self._held.popitem(last=False)
            self._by_name.pop(_short(oldest), None)

    def completed(self, report: Report) -> Report:
        """A device's first measurement with all that was held of it.

        What was announced under the bare name of a topic is found by that name.
        """
        key = (report.family, report.alias)
        held = self._held.pop(key, None) or self._held.pop(self._by_name.get(_short(key), key), None)
        self._by_name.pop(_short(key), None)
        return _merged(held, report) if held else report


def _short(key: Key) -> Key:
    return key[0], key[1].split("/")[-1]


def _merged(before: Report, now: Report) -> Report:
    """The later report, with what only the earlier one says of identity and boot."""
    return msgspec.structs.replace(
        now,
        mac=now.mac or before.mac,
        texts={**before.texts, **now.texts},
        boots=before.boots if now.boots is None else now.boots,
        reset_reason=now.reset_reason or before.reset_reason,
        reset_class=now.reset_class or before.reset_class,
    )
