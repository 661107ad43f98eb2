"""Topics: who speaks, on which channel. The topic is the identity; a payload never says who sent it.

memfleet/1/<fleet>/<shard>/<agent>/<channel>
up:   frame (QoS 1), status (retained; also the will)         down: ack (QoS 0), command (retained)
shard = crc32(agent) % 256, two hex digits: collectors share a fleet by owning shards with plain subscriptions
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from telemetry.errors import UsageError, WireError

ROOT = "memfleet/1"
CHANNELS = ("frame", "status", "ack", "command")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}").fullmatch


def is_name(text: Any) -> bool:
    """Whether the text may name a fleet, an agent or a device."""
    return type(text) is str and _NAME(text) is not None


def require_name(text: str, what: str) -> str:
    """The text itself when it may be a name; UsageError says what may be used otherwise."""
    if not is_name(text):
        raise UsageError(f"{what} {text!r}: use letters, digits, '_', '.', '-', at most 64, first a letter or digit")
    return text


def shard_of(agent: str) -> str:
    """The shard that an agent belongs to, 00 to ff."""
    return f"{zlib.crc32(agent.encode()) % 256:02x}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One parsed topic."""

    fleet: str
    shard: str
    agent: str
    channel: str

    @classmethod
    def of(cls, fleet: str, agent: str, channel: str) -> Topic:
        """The topic of an agent's channel."""
        return cls(fleet, shard_of(agent), agent, channel)

    @classmethod
    def parse(cls, text: str) -> Topic:
        """Read a topic; WireError with reason `topic` when it is none of ours or the shard is not the agent's."""
        parts = text.split("/")
        if len(parts) == 6 and "/".join(parts[:2]) == ROOT:
            topic = cls(*parts[2:])
            if is_name(topic.fleet) and is_name(topic.agent) and topic.channel in CHANNELS:
                if topic.shard != shard_of(topic.agent):
                    raise WireError("topic", f"agent {topic.agent} belongs to shard {shard_of(topic.agent)}")
                return topic
        raise WireError("topic", repr(text[:200]))

    def __str__(self) -> str:
        return f"{ROOT}/{self.fleet}/{self.shard}/{self.agent}/{self.channel}"


def subscriptions(fleet: str, shards: Iterable[str] | None, channel: str) -> list[str]:
    """The filters a collector subscribes to for one channel: one a shard, or one for all (None)."""
    if shards is None:
        return [f"{ROOT}/{fleet}/+/+/{channel}"]
    return [f"{ROOT}/{fleet}/{shard}/+/{channel}" for shard in shards]
