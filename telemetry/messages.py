"""The small messages beside the frames: status, ack and command, as JSON. Frames are in `telemetry.wire`."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from telemetry.errors import WireError

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Version = Annotated[str, msgspec.Meta(max_length=100)]


class Status(msgspec.Struct, frozen=True):
    """Retained: whether an agent is connected; it says nothing about its devices. The will is one with online false."""

    online: bool
    epoch: Number
    version: Version = ""


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything of `epoch` up to `contig` is on the collector's disk.

    `anchors` places clocks: the sender's boot id to the wall time of its monotonic 0, ms. With `describe` the collector
    has readings of devices that nobody has described to it: the agent describes all of its own once more.
    """

    epoch: Number
    contig: Number
    anchors: dict[str, Number] = {}
    describe: bool = False


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """Retained desired state, so it is idempotent; void after `until_ms` (wall time)."""

    until_ms: Number
    interval_s: float | None = None
    log_devices: list[str] = []


T = TypeVar("T", Status, Ack, Command)


def encode(message: Status | Ack | Command) -> bytes:
    """The payload of a message."""
    return msgspec.json.encode(message)


def decode(payload: bytes, kind: type[T]) -> T:
    """Read a payload; WireError with reason `message` when it is not one."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: nothing but brackets
        raise WireError("message", str(error)) from None
