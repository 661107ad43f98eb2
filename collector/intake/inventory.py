"""What people told of devices beside what the devices tell themselves: labels, and which are retired.

Labels travel in the device's own description, merged here, so every consumer of the journal has them and a replay
gives them again. A device that is listed and never spoke stands in the stream by its description alone. A retired
one carries the label `retired`; it comes back by speaking.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from collector.records import RETIRED
from telemetry.readings import About

TABLES = """
CREATE TABLE IF NOT EXISTS described(
    device TEXT PRIMARY KEY, boot INTEGER NOT NULL, texts TEXT NOT NULL, limits TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels(device TEXT PRIMARY KEY, labels TEXT NOT NULL) WITHOUT ROWID;
"""

OWN_TEXTS = frozenset(("platform", "board", "firmware", "os", RETIRED))
"""What a device says of itself, or we of it: no names for labels."""


class Inventory:
    """Labels and newest descriptions by device. Changes wait for `write`, inside the transaction of the frames.

    `unknown` are devices whose description is wanted: this collector, or their agent, is new to them.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._described = {
            device: About(device, boot, json.loads(texts), json.loads(limits))
            for device, boot, texts, limits in db.execute("SELECT device, boot, texts, limits FROM described")
        }
        self._labels: dict[str, dict[str, str]] = {
            device: json.loads(labels) for device, labels in db.execute("SELECT device, labels FROM labels")
        }
        self.retired = {device for device, labels in self._labels.items() if RETIRED in labels}
        self.unknown: set[str] = set()
        self._new_abouts: set[str] = set()
        self._new_labels: set[str] = set()

    def describe(self, about: About) -> About:
        """Remember what a device says of itself; the same with its labels."""
        self.unknown.discard(about.device)
        known = self._described.get(about.device)
        if known is None or about.boot >= known.boot:
            self._described[about.device] = about
            self._new_abouts.add(about.device)
        return self._labelled(about)

    def miss(self, device: str) -> None:
        """A reading came of a device: it is `unknown` where it has not been described."""
        if device not in self._described:
            self.unknown.add(device)

    def label(self, device: str, labels: Mapping[str, str]) -> About:
        """Give the device these labels instead of those it had; its description from now on. Nobody is retired so."""
        self._labels[device] = dict(labels)
        self.retired.discard(device)
        self._new_labels.add(device)
        return self.about(device)

    def retire(self, device: str) -> About:
        """The device is out of service; its description from now on."""
        self._labels.setdefault(device, {})[RETIRED] = "yes"
        self.retired.add(device)
        self._new_labels.add(device)
        return self.about(device)

    def bring_back(self, device: str) -> About:
        """A retired device speaks; its description from now on."""
        return self.label(device, {name: text for name, text in self._labels[device].items() if name != RETIRED})

    def about(self, device: str) -> About:
        """The newest description with the labels; of a device that never spoke, the labels alone."""
        return self._labelled(self._described.get(device) or About(device, 0))

    def _labelled(self, about: About) -> About:
        labels = self._labels.get(about.device)
        return replace(about, texts={**about.texts, **labels}) if labels else about

    def write(self, db: sqlite3.Connection) -> None:
        """Put what has changed into the transaction."""
        for device in self._new_abouts:
            about = self._described[device]
            row = (device, about.boot, json.dumps(dict(about.texts)), json.dumps(dict(about.limits)))
            db.execute("INSERT OR REPLACE INTO described VALUES(?, ?, ?, ?)", row)
        for device in self._new_labels:
            db.execute("INSERT OR REPLACE INTO labels VALUES(?, ?)", (device, json.dumps(self._labels[device])))

    def committed(self) -> None:
        """The transaction is on disk."""
        self._new_abouts.clear()
        self._new_labels.clear()
