"""A map as it is written: TOML. The text below each setting gives its meaning; docs/maps.md shows examples.

    system = "plant"
    [[topics]]
    match = "plant/+/health"
    device = "{dev.id}"
    [topics.heap.main]
    free = "mem.free_kb KiB"

A number is `PATH [UNIT] [STEP]`: where it stands, its unit (B when none is said), and the step in which the source
counts when that is not one unit. A text is a template: `{path}` is filled in, all else stands for itself.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Text = str | list[str]
Fields = dict[str, str]
NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What messages on some topics say."""

    match: Text
    """Topic pattern, or several: `plant/{device}/health`."""
    device: Text = "{device}"
    """Where the device publishes: its alias; the last level of it becomes its name."""
    mac: Text = ""
    """Its MAC, by which it is known even when its topics are changed."""
    needs: list[str] = []
    """Paths that must be there: otherwise the message is another one."""
    unless: dict[str, str | int | float | bool] = {}
    """Paths and values: a message in which all of them stand so is not read."""
    text: str = ""
    """A regular expression that finds the numbers in a payload of plain text; its named groups are paths."""

    platform: Text = ""
    """Text that tells the platform: any that holds esp32, bk72, zephyr, ... somewhere."""
    board: Text = ""
    """Board or model."""
    firmware: Text = ""
    """Version of the firmware."""
    os: Text = ""
    """What firmware it is; unset: the map's."""

    labels: dict[str, Text] = {}
    """Further labels of the device: hostname, room, ..."""

    uptime: str | list[str] = ""
    """Since boot: `UptimeSec s`; units us, ms, s, min, h, d, or clock for 1T07:25:12. Of a list the first that is
    there."""
    uptime_wraps: bool = False
    """The uptime comes from a 32-bit count of milliseconds and starts again after 49.7 days."""
    boots: str = ""
    """The device's own count of its boots."""
    booted: bool = False
    """Such a message is sent after a boot, and only then."""
    reset_reason: Text = ""
    """Why it last started."""
    online: str = ""
    """Payload that says that the device is connected."""
    offline: str = ""
    """Payload that says that it is not."""

    least: int = 0
    """Bytes. A smaller payload is of another unit than the map says, as that of a sensor which its user has rescaled,
    and is not read; nor is a broken number below twenty times as much."""

    partial: bool = False
    """One value a topic: what comes within a second belongs together."""
    poll: bool = False
    """A device that publishes this can be asked by the map's `poll`."""

    process: Fields = {}
    """Fields of the process: total, user_mode, peak_user_mode, quota."""
    heap: dict[str, Fields] = {}
    """Heaps by name, each with its fields; a name may be a template, or hold the `*` of its paths."""
    stack: dict[str, Fields] = {}
    """Stacks by name."""
    pool: dict[str, Fields] = {}
    """Pools by name."""


class Poll(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question to devices that do not speak often enough by themselves."""

    topic: NotEmpty
    """Where to ask; `{device}` is the alias, `{client}` ourselves."""
    payload: str
    """What to ask; `{client}` and `{device}` as in the topic."""


class MapFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One system's map."""

    system: NotEmpty
    """Name of the system."""
    family: str = ""
    """Maps of one family share their devices' aliases; unset: the system's own."""
    os: str = ""
    """What firmware its devices run, as it is shown."""
    period_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 0
    """How often its devices speak unless told otherwise; a device is silent after several periods. 0: often enough."""
    poll: list[Poll] = []
    topics: list[Topic]
