"""The journals as batches of lines, in order; and back again to the last commit, when a server has forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.config import StoreConfig
from collector.records import UNDECODABLE, Arrival, Finding, Incident, decode, decode_finding
from collector.stores.lanes import Lane
from collector.stores.ledger import Done, Ledger
from collector.stores.lineprotocol import Encoder, UnsafeTagError
from telemetry.journal import Cursor, Frame
from telemetry.readings import About

READ_FRAMES = 200
JOURNALS = ("readings", "findings")


@dataclass(slots=True)
class Batch:
    """Lines to write, and what is done once they are written."""

    lines: list[str] = field(default_factory=list)
    done: Done = field(default_factory=Done)


class Feed:
    """Where a store's lines come from. Descriptions of devices travel in the stream and are learned on the way."""

    def __init__(self, ledger: Ledger, directory: Path, config: StoreConfig, fleet: str) -> None:
        self._ledger = ledger
        self._paths = {name: directory / f"{name}.journal" for name in JOURNALS}
        self._rows = config.batch_rows
        self._encoder = Encoder(fleet, config.prefix, self._about, numbers_only=config.kind == "victoriametrics")
        self._abouts: dict[str, About] = {}
        self._held: dict[str, deque[Frame]] = {name: deque() for name in JOURNALS}
        self._lanes = {name: ledger.lane(name, path) for name, path in self._paths.items()}

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The journals, by name."""
        return self._lanes

    def next(self) -> Batch:
        """The next batch; one without lines and cursors when there is nothing new."""
        batch = Batch()
        for name in JOURNALS:
            self._fill(name, batch)
        return batch

    def rewind(self) -> None:
        """Go back to the last commit: everything after it comes again, as the very same lines."""
        self._ledger.save_sights(self._lanes)
        for name, path in self._paths.items():
            self._lanes[name].close()
            self._lanes[name] = self._ledger.lane(name, path)
            self._held[name].clear()
        self._abouts.clear()
        self._encoder.forget()

    def close(self) -> None:
        """Let go of the journals."""
        for lane in self._lanes.values():
            lane.close()

    def _fill(self, name: str, batch: Batch) -> None:
        lane, held, done = self._lanes[name], self._held[name], batch.done
        while len(batch.lines) < self._rows:
            if not held:
                frames, lost = lane.read(READ_FRAMES)
                held.extend(frames)
                done.evicted_frames += lost.frames
                done.evicted_rows += lost.rows
                done.passed[name] = done.passed.get(name, 0) + lost.rows
                if not held:
                    if lost.frames:
                        done.cursors[name] = lane.position
                    return
            frame = held.popleft()
            self._encode(name, frame, batch)
            done.passed[name] = done.passed.get(name, 0) + frame.rows
            done.cursors[name] = lane.position if not held else Cursor(lane.position.generation, frame.id)

    def _encode(self, name: str, frame: Frame, batch: Batch) -> None:
        try:
            record = decode_finding(frame.data) if name == "findings" else decode(frame.data)
        except UNDECODABLE as error:
            batch.done.refused += [(f"a row of frame {frame.id} of {name}", f"cannot be decoded: {error}")] * frame.rows
            return
        if isinstance(record, Finding | Incident):
            if frame.rows:  # an incident of an older judge is none
                self._encode_finding(record, batch)
        elif isinstance(record, Arrival):
            self._encode_arrival(record, batch)

    def _encode_arrival(self, arrival: Arrival, batch: Batch) -> None:
        for block in arrival.blocks:
            if isinstance(block, About):
                self._learn(block, batch)
            else:
                lines, refused = self._encoder.rows(block)
                batch.lines += lines
                batch.done.refused += refused

    def _encode_finding(self, said: Finding | Incident, batch: Batch) -> None:
        try:
            line = self._encoder.finding(said) if isinstance(said, Finding) else self._encoder.incident(said)
            batch.lines.append(line)
        except UnsafeTagError as error:
            batch.done.refused.append((f"finding {said.key}", str(error)))

    def _about(self, device: str) -> About:
        return self._abouts.get(device) or self._ledger.book.about(device)

    def _learn(self, about: About, batch: Batch) -> None:
        known = self._about(about.device)
        if known.boot > about.boot or known == about:
            return
        self._abouts[about.device] = about
        batch.done.abouts.append(about)
        self._encoder.forget(about.device)
