"""A fleet of emulated devices: who reports what, when. No I/O; time comes from the caller."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from emulators.boards import BOARDS, Board
from emulators.chance import Chance
from emulators.config import FleetConfig, Group, require_sound
from emulators.demo import demo_groups
from emulators.devices.device import Device
from emulators.firmware import Plan
from emulators.network import Link
from emulators.truth import Truth, truth_of
from emulators.workloads import WORKLOADS
from telemetry.readings import About, Reading


class _Member:
    """One device, how often it reports, and how its reports come through."""

    __slots__ = ("device", "link", "report_ms")

    def __init__(self, device: Device, report_ms: int, link: Link) -> None:
        self.device = device
        self.report_ms = report_ms
        self.link = link


class Fleet:
    """Emulated devices, each with firmware of its own and a heap that behaves as the real one.

    The same seed gives the same readings whatever the steps in which time advances.
    """

    def __init__(self, groups: Sequence[Group], seed: int) -> None:
        self._groups = groups
        self._seed = seed
        self._members: list[_Member] = []
        self._queue: list[tuple[int, int]] = []
        self._started = False

    @classmethod
    def demo(cls, devices: int, seed: int) -> Fleet:
        """A mix of all platforms reporting every 2 s; about one device in eight leaks, some of them fast."""
        return cls(demo_groups(devices), seed)

    @classmethod
    def from_config(cls, config: FleetConfig) -> Fleet:
        """The fleet that a fleet file describes; ConfigError where it names what does not exist."""
        return cls(require_sound(config, "fleet").groups, config.seed)

    def __len__(self) -> int:
        return sum(group.count for group in self._groups)

    def advance(self, now_ms: int) -> list[About | Reading]:
        """Everything that the devices have reported up to now. The first call is the moment of power-on."""
        if not self._started:
            self._power_on(now_ms)
        arrived: list[About | Reading] = []
        queue, members = self._queue, self._members
        while queue and queue[0][0] <= now_ms:
            due_ms, index = queue[0]
            member = members[index]
            heapq.heapreplace(queue, (due_ms + member.report_ms, index))
            member.device.advance(due_ms)
            member.device.report()
            arrived += member.link.carry(member.device.take(), due_ms)
        return arrived

    @property
    def devices(self) -> list[Device]:
        """The devices themselves, once they have power."""
        return [member.device for member in self._members]

    def truth(self) -> dict[str, Truth]:
        """What is wrong with each device."""
        return {name: truth_of(board, plan) for name, board, plan in self._plans()}

    def _power_on(self, now_ms: int) -> None:
        self._started = True
        for group, name in self._names():
            chance, plan = self._drawn(group, name)
            board = BOARDS[group.board]
            first_ms = now_ms + chance.child("phase").below(group.report_ms)
            device = Device(name, board, plan, chance, version=group.firmware, power_on_ms=now_ms)
            self._queue.append((first_ms, len(self._members)))
            link = Link(group.network, chance.child("network"))
            self._members.append(_Member(device, group.report_ms, link))
        heapq.heapify(self._queue)

    def _plans(self) -> list[tuple[str, Board, Plan]]:
        return [(name, BOARDS[group.board], self._drawn(group, name)[1]) for group, name in self._names()]

    def _names(self) -> list[tuple[Group, str]]:
        return [(group, name) for group in self._groups for name in group.device_names()]

    def _drawn(self, group: Group, name: str) -> tuple[Chance, Plan]:
        chance = Chance(self._seed).child(name)
        return chance, WORKLOADS[group.workload].plan(BOARDS[group.board], chance.child("plan"))
