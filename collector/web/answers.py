"""What the API answers, as its OpenAPI document says. Answers are not made of these; a test holds the two together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from collector.series.firmware import FirmwareRow
from collector.series.lines import LineRow
from collector.series.report import Line
from collector.series.rows import AlertRow, DeviceRow, EventRow, HoleRow, LogRow, SeriesRow
from collector.series.runs import RunRow
from collector.web.agents import AgentRow
from collector.web.answering import State
from collector.web.quarantine import QuarantineRow
from collector.web.status import ProcessStatus


class Answer(BaseModel):
    """An answer; it holds what is named here and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Fault(Answer):
    """What is wrong, in one sentence."""

    error: str


class Accepted(Answer):
    """The wish is on disk: the key, pattern or name that it is about, or how many."""

    accepted: str | int


class Devices(Answer):
    """Devices of one part of the list, how many match in all, and how many of the fleet are in each state."""

    devices: list[DeviceRow]
    total: int
    states: dict[State, int]


class Alerts(Answer):
    """Alerts."""

    alerts: list[AlertRow]


@dataclass(frozen=True, kw_only=True)
class Device(DeviceRow):
    """A device and its open alerts."""

    open_alerts: list[AlertRow]


class Series(Answer):
    """What is read of a device."""

    series: list[SeriesRow]


class Runs(Answer):
    """The boots of a device."""

    boots: list[RunRow]


class Logs(Answer):
    """Log lines of one device."""

    logs: list[LogRow]


class Events(Answer):
    """Events of one device."""

    events: list[EventRow]


class Lines(Answer):
    """Log lines and events of any devices."""

    lines: list[LineRow]


class Incident(Answer):
    """An incident: `first` is the device it began on, `worst` the one in whose words it is told; `numbers` are hers.
    `ended` is what was said when that ended, "" while something fires."""

    key: str
    status: Literal["firing", "resolved"]
    rule: str
    severity: str
    since_ms: int
    at_ms: int
    lasted_ms: int
    devices: int
    firing: int
    first: str
    worst: str
    reason: str
    kind: str
    names: list[str]
    platform: str
    firmware: str
    numbers: dict[str, float]
    ended: str
    acknowledged_ms: int
    acknowledged_by: str
    silenced_until_ms: int


class Incidents(Answer):
    """Incidents."""

    incidents: list[Incident]


class Member(Answer):
    """An alert that belongs to an incident; `alert` is its key, `restarts` how often its device has restarted since it
    was told."""

    device: str
    status: Literal["firing", "resolved"]
    severity: str
    since_ms: int
    at_ms: int
    reason: str
    alert: str
    restarts: int


class IncidentWhole(Incident):
    """An incident with the alerts that belong to it."""

    members: list[Member]


class Silence(Answer):
    """A silence in force: a pattern on keys, until when, by whom."""

    pattern: str
    until_ms: int
    by: str


class Silences(Answer):
    """Silences in force."""

    silences: list[Silence]


class Firmwares(Answer):
    """Versions, the one that runs on most devices first."""

    firmware: list[FirmwareRow]


class Difference(Answer):
    """One measure of one thing between two versions; bytes, for growth bytes/hour. `of`: the boards, where the versions
    ran on other ones. `free` and `least free` are told of what tells only what is left. What only one of them has is
    added or removed: it has no value in the other, and no difference. `low` and `high`: the 95 % interval of the
    difference, null where there are too few devices. `devices`: before and after. `older`: 1 where those after were
    seen at later uptimes than those before, -1 at earlier ones, 0 at the same. `is_paired`: the same devices ran both
    versions, and each is compared with itself."""

    kind: str
    names: list[str]
    of: str
    measure: Literal["level", "peak", "growth", "free", "least free"]
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float
    effect: float
    devices: list[int]
    verdict: Literal["worse", "better", "same", "unclear", "unknown", "added", "removed"]
    older: int
    is_paired: bool


class Differences(Answer):
    """Differences between two versions, the worst first."""

    differences: list[Difference]


class BootDifference(Answer):
    """One thing in two boots of a board: its measures at the uptimes of both, and the 95 % interval of the difference
    of levels, bytes: of what is left, where only that is told (`is_free`)."""

    kind: str
    names: list[str]
    is_free: bool
    before: dict[str, float]
    after: dict[str, float]
    low: float
    high: float
    verdict: Literal["worse", "better", "same", "unclear"]


class BootDifferences(Answer):
    """Differences between two boots of one board."""

    differences: list[BootDifference]


class Report(Answer):
    """The verdict on each thing, and what it rests on."""

    lines: list[Line]


class Message(Answer):
    """A message, and how each channel fared with it: waits, sent, given_up, left_out (it would have repeated what had
    not come through yet), shadow (not sent, on purpose)."""

    key: str
    title: str
    body: str
    level: str
    made_ms: int
    channels: dict[str, str]


class Waiting(Answer):
    """A channel that has so many messages to deliver; when the oldest was made, its tries, and how the last failed."""

    channel: str
    messages: int
    since_ms: int
    tries: int
    error: str


class Messages(Answer):
    """Messages, the newest first; and the channels that have still some to deliver, of any time."""

    messages: list[Message]
    waiting: list[Waiting]


class Agents(Answer):
    """Gateways."""

    agents: list[AgentRow]


class Holes(Answer):
    """Stretches without readings."""

    holes: list[HoleRow]


class Quarantine(Answer):
    """What intake refused."""

    quarantine: list[QuarantineRow]


class Status(Answer):
    """The processes of the collector, and why it is not ready (empty: it is)."""

    fleet: str
    ready: bool
    reasons: list[str]
    processes: list[ProcessStatus]
