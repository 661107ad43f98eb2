"""Admission: what becomes of one frame. Pure but for the state it is given; never raises for bad input.

    base - 1 > contig   -> count the hole contig+1 .. base-1; contig = base - 1
    seq <= contig       -> duplicate: ack again
    seq == contig + 1   -> journal it (or quarantine what cannot be taken); contig += 1
    otherwise           -> out of order: drop, count, ack again (the agent sends it once more)

What came before the first frame of an agent is no hole where that one says that a collector before us had it.

In rows: received = accepted + duplicate + quarantined. Frames out of order are not received yet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeGuard

from msgspec.structs import replace

from collector.agentclock import NEWEST_MS, OLDEST_MS
from collector.intake.boots import ANY_EPOCH
from collector.intake.clocks import Clocks
from collector.intake.state import IntakeState, Refused
from collector.records import encode_arrival, encode_hole
from telemetry.clock import stamp
from telemetry.errors import WireError
from telemetry.readings import About
from telemetry.topics import Topic
from telemetry.wire import (
    CONFIRMED,
    EARLIER,
    MONOTONIC,
    Block,
    Clock,
    Header,
    Rows,
    decode_each,
    encode_body,
    flag_bits,
    open_header,
    require_readable,
    row_faults,
    seal,
)


class Admission:
    """Takes frames into the state: accepted as journal entries, refused into quarantine, everything counted."""

    def __init__(self, state: IntakeState, fleet: str) -> None:
        self.state = state
        self._clocks = Clocks(state)
        self._fleet = fleet
        self._topics: dict[str, Topic] = {}

    def take(self, topic_text: str, payload: bytes, received_ms: int, lay_ms: int = 0) -> tuple[str, int] | None:
        """Decide on one message, which lay at the broker for so long; the (agent, epoch) that is to be acknowledged,
        None when the sender is unknown."""
        try:
            topic = self._topics.get(topic_text) or self._parse(topic_text)
        except WireError as error:
            self.refuse(received_ms, "", error, payload)
            return None
        try:
            header, body = open_header(payload)
        except WireError as error:
            self.refuse(received_ms, topic.agent, error, payload)
            return None
        self._admit(topic.agent, header, body, received_ms, received_ms - lay_ms)
        return topic.agent, header.epoch

    def _parse(self, text: str) -> Topic:
        topic = Topic.parse(text)
        if topic.fleet != self._fleet:
            raise WireError("topic", f"fleet {topic.fleet}, this collector serves {self._fleet}")
        self._topics[text] = topic
        return topic

    def _admit(self, agent: str, header: Header, body: bytes, received_ms: int, sent_ms: int) -> None:
        state = self.state
        contig = state.contig.get((agent, header.epoch), 0)
        if header.base - 1 > contig:
            if not header.flags & CONFIRMED or state.knows(agent):
                state.counts["hole_frames"] += header.base - 1 - contig
                state.frames.append((encode_hole(received_ms, agent, header.epoch, (contig + 1, header.base - 1)), 0))
            contig = header.base - 1
            state.move_contig(agent, header.epoch, contig)
        if header.seq > contig + 1:
            state.counts["out_of_order_frames"] += 1
            return
        if header.seq <= contig:
            rows = _rows_in(body)
            state.counts["duplicate_frames"] += 1
            state.counts["duplicate_rows"] += rows
            state.counts["received_rows"] += rows
            return
        self.take_body(agent, header, body, received_ms, sent_ms)
        state.move_contig(agent, header.epoch, header.seq)

    def take_body(self, agent: str, header: Header, body: bytes, received_ms: int, sent_ms: int) -> None:
        """Journal what may be taken of a frame. What is of a newer version is kept whole, for after our upgrade."""
        try:
            require_readable(header, body)
        except WireError as error:
            self.refuse(received_ms, agent, error, seal(header, body))
            return
        try:
            blocks, bad = decode_each(body)
        except WireError as error:
            self.refuse(received_ms, agent, error, body)
            return
        for block, fault in bad:
            self.refuse(received_ms, agent, fault, block)
        self.take_blocks(agent, header, blocks, b"" if bad else body, received_ms, sent_ms)

    def take_blocks(
        self, agent: str, header: Header, blocks: list[Block], body: bytes, received_ms: int, sent_ms: int
    ) -> None:
        """Journal the blocks that may be taken and quarantine the others.

        `body` is the blocks encoded, empty when nobody has them so: most frames are journaled as they came.
        """
        anchor = self._anchor(agent, header, blocks, sent_ms)
        if anchor is None:
            error = WireError("clock", "monotonic times without a clock block")
            self.refuse(received_ms, agent, error, body or encode_body(blocks), _row_count(blocks))
            return
        if not header.flags & MONOTONIC and header.epoch != ANY_EPOCH:
            blocks, body = self._by_wall_clock(agent, blocks, body, received_ms)
        elif header.flags & EARLIER:
            blocks, body = [_guessed(block) for block in blocks], b""
        blocks, body = self._beside_refusals(agent, header, blocks, body, received_ms)
        kept: list[Block] = []
        for block in blocks:
            kept += self._sift(block, agent, header.epoch, anchor, received_ms)
        rows = _row_count(kept)
        self.state.counts["received_rows"] += rows
        self.state.counts["accepted_rows"] += rows
        if kept:
            whole = body if kept == blocks else b""
            entry = encode_arrival(received_ms, agent, anchor, whole or encode_body(kept))
            self.state.frames.append((entry, rows))

    def _anchor(self, agent: str, header: Header, blocks: Sequence[Block], sent_ms: int) -> int | None:
        """What to add to the rows' times: 0 for wall time, None when nothing says which clock they are on."""
        if not header.flags & MONOTONIC:
            return 0
        clock = next((block for block in blocks if isinstance(block, Clock)), None)
        return None if clock is None else self._clocks.anchor_ms(agent, clock, header, sent_ms)

    def _by_wall_clock(
        self, agent: str, blocks: list[Block], body: bytes, received_ms: int
    ) -> tuple[list[Block], bytes]:
        """What the agent stamped itself, as far as that clock is worth something; `body` is empty where it differs."""
        clocks, heard = self.state.wall_clocks, blocks
        for place, block in enumerate(blocks):
            if _is_of_agent(block):
                told = clocks.hear(agent, block, received_ms)
                if told is not block:
                    heard = [*heard[:place], told, *heard[place + 1 :]]
        if clocks.is_wrong(agent):
            heard = [_guessed(block) for block in heard]
        return heard, body if heard is blocks else b""

    def _beside_refusals(
        self, agent: str, header: Header, blocks: list[Block], body: bytes, received_ms: int
    ) -> tuple[list[Block], bytes]:
        """What the agent says of itself, with what was refused of it; `body` is empty where that says something."""
        if header.epoch == ANY_EPOCH:  # it was said some time ago
            return blocks, body
        refusals = self.state.refusals
        told = [refusals.put_beside(agent, one, received_ms) if _is_of_agent(one) else one for one in blocks]
        same = all(one is block for one, block in zip(told, blocks, strict=True))
        return told, body if same else b""

    def _sift(self, block: Block, agent: str, epoch: int, anchor: int, received_ms: int) -> list[Block]:
        """The block, or what is left of it, or nothing; what is refused goes to quarantine."""
        if isinstance(block, Clock):
            return [block]
        fault = self._standing_fault(block, agent)
        if fault is not None:
            self.refuse(received_ms, agent, fault, encode_body([_at_wall_time(block, anchor)]), _row_count([block]))
            return []
        if block.device not in self.state.owners:
            self.state.set_owner(block.device, agent, received_ms)
        inventory = self.state.inventory
        boot = self.state.boots.number(block.device, block.boot, agent, epoch)
        if isinstance(block, About):
            return [inventory.describe(block if boot == block.boot else dataclasses.replace(block, boot=boot))]
        if block.kind != "agent":
            inventory.miss(block.device)
        if block.device in inventory.retired:
            self.tell(inventory.bring_back(block.device), received_ms)
        faults = row_faults(block)
        faults.update(_time_faults(block, anchor, received_ms))
        if not faults:
            return [block if boot == block.boot else replace(block, boot=boot)]
        for reason in sorted(set(faults.values())):
            bad = replace(block, rows=[block.rows[index] for index in faults if faults[index] == reason])
            detail = f"{block.device} {block.kind} {'/'.join(block.names)}".rstrip()
            if reason == "time":
                detail += f": stamped {stamp(bad.t0 + bad.rows[0][0] + anchor)}, came at {stamp(received_ms)}"
            body = encode_body([_at_wall_time(bad, anchor)])
            self.refuse(received_ms, agent, WireError(reason, detail), body, len(bad.rows))
        rows = [row for index, row in enumerate(block.rows) if index not in faults]
        return [replace(block, boot=boot, rows=rows)] if rows else []

    def _standing_fault(self, block: About | Rows, agent: str) -> WireError | None:
        """Why this agent may not tell of this thing: the device is another's, or its budget of things is used up."""
        owner = self.state.owners.get(block.device, agent)
        if owner != agent:
            return WireError("owner", f"device {block.device} belongs to agent {owner}")
        thing = (block.device, "", ()) if isinstance(block, About) else (block.device, block.kind, block.names)
        if thing[1] == "agent" or self.state.budget.admits(agent, thing):
            return None
        used = self.state.budget.used(agent)
        return WireError("budget", f"{agent} tells of {used} things already; {block.device} {thing[1]} would be more")

    def tell(self, about: About, received_ms: int) -> None:
        """Journal a description that did not come from an agent: labels changed, or a device came back."""
        agent = self.state.owners.get(about.device, "")
        self.state.frames.append((encode_arrival(received_ms, agent, 0, encode_body([about])), 0))

    def refuse(self, received_ms: int, agent: str, error: WireError, body: bytes, rows: int = 1) -> None:
        """Into quarantine with a reason. What cannot be decoded counts as one row."""
        self.state.refused.append(Refused(received_ms, agent, error.reason, error.detail, rows, body))
        self.state.refusals.note(agent, received_ms, error.reason, rows)
        self.state.counts["received_rows"] += rows
        self.state.counts["quarantined_rows"] += rows
        self.state.counts[f"quarantined_{error.reason}"] += rows


def _is_of_agent(block: Block) -> TypeGuard[Rows]:
    """Whether an agent tells of itself there."""
    return isinstance(block, Rows) and block.kind == "agent"


def _guessed(block: Block) -> Block:
    return replace(block, flags=block.flags | flag_bits(("guess",))) if isinstance(block, Rows) else block


def _at_wall_time(block: About | Rows, anchor: int) -> About | Rows:
    """In quarantine nothing knows the sender's clock any more."""
    return replace(block, t0=block.t0 + anchor) if isinstance(block, Rows) and anchor else block


def _time_faults(block: Rows, anchor: int, received_ms: int) -> dict[int, str]:
    base = block.t0 + anchor
    oldest, newest = received_ms - OLDEST_MS - base, received_ms + NEWEST_MS - base
    offsets = [row[0] for row in block.rows]
    if min(offsets) >= oldest and max(offsets) <= newest:
        return {}
    return {index: "time" for index, dt in enumerate(offsets) if not oldest <= dt <= newest}


def _row_count(blocks: Sequence[Block]) -> int:
    return sum(len(block.rows) for block in blocks if isinstance(block, Rows))


def _rows_in(body: bytes) -> int:
    try:
        blocks, bad = decode_each(body)
        return _row_count(blocks) + len(bad)
    except WireError:
        return 1
