"""Questions to devices that say too little by themselves. No I/O: the caller sends what is due."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from agent.maps.mapfile import Poll
from agent.maps.report import Report

DEVICES_MOST = 10_000
AT_ONCE = 20
"""Devices that are asked in one round: a fleet is not asked all at the same moment."""

Question = tuple[str, bytes]


class Poller:
    """Whom to ask when. `client` is our own name in questions; `every_s` 0 asks nobody."""

    def __init__(self, polls: Mapping[str, Sequence[Poll]], client: str, every_s: int) -> None:
        self._polls = polls if every_s else {}
        self._client = client
        self._every_ms = every_s * 1000
        self._due: OrderedDict[tuple[str, str], int] = OrderedDict()  # in order of time
        self._hurried: dict[tuple[str, str], int] = {}
        self._hurry_ms = (0, 0)

    def heard(self, report: Report) -> None:
        """A device spoke: from now on it is asked, until the broker says that it is gone."""
        key = (report.system, report.alias)
        if report.online is False:
            self._due.pop(key, None)
        elif report.poll and report.system in self._polls and key not in self._due and len(self._due) < DEVICES_MOST:
            self._due[key] = report.time_ms
            self._due.move_to_end(key, last=False)

    def due(self, now_ms: int) -> list[Question]:
        """The questions to send now."""
        keys = self._due_soon(now_ms)
        for key, due_ms in list(self._due.items())[:AT_ONCE]:
            if due_ms > now_ms:
                break
            self._due[key] = now_ms + self._every_ms
            self._due.move_to_end(key)
            keys.append(key)
        return [self._question(poll, key[1]) for key in dict.fromkeys(keys) for poll in self._polls[key[0]]]

    def hurry(self, keys: Iterable[tuple[str, str]], every_ms: int, until_ms: int) -> None:
        """Ask these (system, alias) more often until then, beside their usual turn."""
        self._hurried = dict.fromkeys((key for key in keys if key in self._due), 0)
        self._hurry_ms = every_ms, until_ms

    def _due_soon(self, now_ms: int) -> list[tuple[str, str]]:
        every_ms, until_ms = self._hurry_ms
        if now_ms >= until_ms:
            self._hurried.clear()
        due = [key for key, due_ms in self._hurried.items() if due_ms <= now_ms and key in self._due]
        self._hurried.update(dict.fromkeys(due, now_ms + every_ms))
        return due

    def _question(self, poll: Poll, alias: str) -> Question:
        topic, payload = (
            text.replace("{device}", alias).replace("{client}", self._client) for text in (poll.topic, poll.payload)
        )
        return topic, payload.encode()
