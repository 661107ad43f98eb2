"""What stands in the collector's three journals. Pure encode and decode.

    readings  = msgpack [0, time_ms]                              a tick: one a second, also when nothing arrives
              | msgpack [1, received_ms, agent, anchor_ms, body]  an arrival: accepted rows, in the wire's own body
              | msgpack [2, received_ms, agent, epoch, [first, last]]   a hole: frames that will never come
    findings  = JSON of a Finding or an Incident         desk = JSON of a Desk entry

`anchor_ms` is added to the times of the body's rows: 0 where the sender stamped wall time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgpack
import msgspec
from msgspec.structs import replace

from telemetry.errors import WireError
from telemetry.readings import About
from telemetry.wire import Rows, read_body

_TICK, _ARRIVAL, _HOLE = 0, 1, 2

RETIRED = "retired"
"""The text that intake adds to the description of a device that was taken out of service."""

UNDECODABLE = (WireError, msgspec.MsgspecError, ValueError, TypeError, LookupError)
"""What decoding may raise on a frame that another version wrote: a consumer counts the frame and goes on."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time as a record, wall ms: what the judge goes by."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one frame brought: descriptions and accepted rows, times in wall ms, in the order sent."""

    received_ms: int
    agent: str
    blocks: list[About | Rows]


@dataclass(frozen=True, slots=True)
class Hole:
    """Frames of an agent that it had to drop before we had them; whose readings they held nobody knows any more."""

    received_ms: int
    agent: str
    epoch: int
    first: int
    last: int

    @property
    def frames(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Finding(msgspec.Struct, frozen=True, tag="finding"):
    """The judge says: this fires, or is resolved.

    `key` names what is wrong, the same each time ("rule|device|kind|name"); `episode` one firing..resolved span of it
    (key@since_ms). Times are event time, wall ms. `reason` is a sentence with the numbers, `numbers` are those
    behind it. `incident` is the key of the incident that it belongs to; `agent` is told of silence alone: who brought
    the device's readings, or ALL_AGENTS when nobody at all is heard. `labels` are what the device's description says
    beyond platform, board, firmware and os. `state` is breach, or why the rule cannot be judged: no_data, error.
    `suspect` is who is to be looked at first, where the data names somebody: a task, a thread, a function.
    `settle_ms` is told with the end: for how long it may come back as part of the same incident, where that is longer
    than for any other. `boot` is the one that the device is in.
    """

    key: str
    episode: str
    status: str
    rule: str
    severity: str
    device: str
    kind: str
    names: tuple[str, ...]
    since_ms: int
    at_ms: int
    reason: str
    platform: str = ""
    firmware: str = ""
    numbers: dict[str, float] = {}
    incident: str = ""
    agent: str = ""
    labels: dict[str, str] = {}
    state: str = "breach"
    suspect: str = ""
    settle_ms: int = 0
    boot: int = 0


ALL_AGENTS = "*"
"""Instead of an agent's name: none of several agents is heard, so the cause is nearer to us than to them."""


class Incident(msgspec.Struct, frozen=True, tag="incident"):
    """The judge says how one fault stands that any number of devices share.

    `key` is the fault with the time of its first alert: what the incident is called for good. `status` is firing, or
    resolved once nothing of it has fired for a while (`at_ms - since_ms` is how long it was). `devices` counts those
    that it ever had, `firing` the things that fire now. `first` is the device it began on; `worst` the one that is
    worst off, in the words of `reason` and with its `numbers`; `ended` is what was said when that ended, "" while
    something fires.
    """

    key: str
    status: str
    rule: str
    severity: str
    since_ms: int
    at_ms: int
    devices: int
    firing: int
    first: str
    worst: str
    reason: str
    kind: str = ""
    names: tuple[str, ...] = ()
    platform: str = ""
    firmware: str = ""
    numbers: dict[str, float] = {}
    ended: str = ""


def whole_story(reason: str, ended: str) -> str:
    """What is said of an incident: why it began and, where nothing of it fires any more, what has become of it."""
    return f"{reason} Since then: {ended}" if ended else reason


def is_silenced(key: str, pattern: str) -> bool:
    """Whether a silence of that pattern holds for the alert or incident of a key ("rule|...", or "rule:state|..." where
    the rule cannot be judged): whoever silences a rule wants to hear nothing of it. A bracket stands for itself, too:
    names have them (`buf[0]`)."""
    rule, bar, rest = key.partition("|")
    keys, patterns = (key, f"{rule.partition(':')[0]}{bar}{rest}"), (pattern, pattern.replace("[", "[[]"))
    return any(fnmatchcase(one, wanted) for one in keys for wanted in patterns)


class Desk(msgspec.Struct, frozen=True, tag="desk"):
    """What a person asked for at the page or the command line.

    Actions: acknowledge (key of an alert or an incident), silence (key is a pattern of either, until_ms), unsilence
    (key), move (device, agent), enlist (device, agent if it is known, labels), retire (device), quarantine_retry and
    quarantine_purge (ids).
    """

    action: str
    at_ms: int
    by: str = ""
    key: str = ""
    device: str = ""
    agent: str = ""
    until_ms: int = 0
    ids: tuple[int, ...] = ()
    labels: dict[str, str] = {}


def encode_tick(time_ms: int) -> bytes:
    """A tick for the readings journal."""
    return bytes(msgpack.packb([_TICK, time_ms]))


def encode_arrival(received_ms: int, agent: str, anchor_ms: int, body: bytes) -> bytes:
    """An arrival for the readings journal."""
    return bytes(msgpack.packb([_ARRIVAL, received_ms, agent, anchor_ms, body]))


def encode_hole(received_ms: int, agent: str, epoch: int, span: tuple[int, int]) -> bytes:
    """A hole for the readings journal: `span` is its first and last sequence number."""
    return bytes(msgpack.packb([_HOLE, received_ms, agent, epoch, span]))


def decode(data: bytes) -> Tick | Arrival | Hole:
    """A frame of the readings journal."""
    entry = msgpack.unpackb(data)
    if entry[0] == _TICK:
        return Tick(entry[1])
    if entry[0] == _HOLE:
        _, received_ms, agent, epoch, (first, last) = entry
        return Hole(received_ms, agent, epoch, first, last)
    _, received_ms, agent, anchor_ms, body = entry
    blocks = [block for block in read_body(body) if isinstance(block, About | Rows)]
    if anchor_ms:
        blocks = [replace(b, t0=b.t0 + anchor_ms) if isinstance(b, Rows) else b for b in blocks]
    return Arrival(received_ms, agent, blocks)


encode_finding = encode_desk = msgspec.json.encode
_findings: msgspec.json.Decoder[Finding | Incident] = msgspec.json.Decoder(Finding | Incident)
_desk = msgspec.json.Decoder(Desk)


def decode_finding(data: bytes) -> Finding | Incident:
    """A frame of the findings journal."""
    return _findings.decode(data)


def decode_desk(data: bytes) -> Desk:
    """A frame of the desk journal."""
    return _desk.decode(data)
