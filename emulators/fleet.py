"""A fleet of emulated devices: who reports what, when. No I/O; time comes from the caller."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.clock import DeviceClock
from emulators.config import FleetConfig, Group, require_sound
from emulators.consoles.told import Told
from emulators.demo import demo_groups
from emulators.devices.device import Device
from emulators.firmware import Firmware, Plan
from emulators.network import Link
from emulators.truth import Truth, truth_of
from emulators.workloads import WORKLOADS
from telemetry.readings import About, Reading


class _Member:
    """One device, how often it reports, how its reports come through, and the update that it waits for."""

    __slots__ = ("clock", "device", "first_ms", "haste", "link", "report_ms", "update")

    def __init__(
        self, device: Device, group: Group, first_ms: int, link: Link, update: tuple[int, Firmware] | None
    ) -> None:
        self.device = device
        self.first_ms = first_ms
        self.report_ms = group.report_ms
        self.link = link
        self.clock = DeviceClock(group.clock, device.boot_ms)
        self.update = update
        self.haste: tuple[int, int] | None = None

    def hurry(self, every_ms: int, until_ms: int) -> None:
        """Report more often until then, and tell what the console prints."""
        self.haste = every_ms, until_ms
        self.device.listener = self.device.listener or Told(self.device)

    def calm_down(self) -> None:
        """Report in the usual turns alone."""
        self.haste = None
        if isinstance(self.device.listener, Told):  # somebody else's listener stays
            self.device.listener = None

    def next_ms(self, due_ms: int) -> int:
        """When it reports after that moment: at its usual turn, sooner while it is hurried."""
        usual_ms = due_ms + self.report_ms - (due_ms - self.first_ms) % self.report_ms
        if self.haste is None:
            return usual_ms
        every_ms, until_ms = self.haste
        if due_ms < until_ms:
            return min(usual_ms, due_ms + every_ms)
        self.calm_down()
        return usual_ms

    def report(self, due_ms: int) -> list[About | Reading]:
        """Live up to then and report; what arrives of it."""
        if self.update and self.update[0] <= due_ms:
            update_ms, firmware = self.update
            self.update = None
            self.device.advance(update_ms)
            self.device.redeploy(firmware)
        self.device.advance(due_ms)
        self.device.report()
        return self.link.carry(self.clock.stamped(self.device.take()), due_ms)


class Fleet:
    """Emulated devices, each with firmware of its own and a heap that behaves as the real one.

    The same seed gives the same readings whatever the steps in which time advances.
    """

    def __init__(self, groups: Sequence[Group], seed: int) -> None:
        self._groups = groups
        self._seed = seed
        self._members: list[_Member] = []
        self._queue: list[tuple[int, int]] = []
        self._now_ms = 0
        self._started = False
        self._boots_before: Callable[[str], int] = lambda _: 0

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

    def count_on(self, boots_before: Callable[[str], int]) -> None:
        """Before power-on: a device that has been switched on before goes on counting its boots."""
        self._boots_before = boots_before

    def advance(self, now_ms: int) -> list[About | Reading]:
        """Everything that the devices have reported up to now. The first call is the moment of power-on."""
        if not self._started:
            self._power_on(now_ms)
        self._now_ms = now_ms
        arrived: list[About | Reading] = []
        queue, members = self._queue, self._members
        while queue and queue[0][0] <= now_ms:
            due_ms, index = queue[0]
            member = members[index]
            heapq.heapreplace(queue, (member.next_ms(due_ms), index))
            arrived += member.report(due_ms)
        return arrived

    def hurry(self, devices: Collection[str], every_ms: int, until_ms: int) -> None:
        """From now on these devices (those of them that have power) report every `every_ms` beside their usual turns,
        and tell what their consoles print, until that moment of the fleet's time. All others report as usual."""
        soon_ms = self._now_ms + every_ms
        for number, (due_ms, index) in enumerate(self._queue):
            member = self._members[index]
            if member.device.name not in devices:
                member.calm_down()
            elif self._now_ms < until_ms:
                member.hurry(every_ms, until_ms)
                self._queue[number] = min(due_ms, soon_ms), index
        heapq.heapify(self._queue)

    @property
    def devices(self) -> list[Device]:
        """The devices themselves, once they have power."""
        return [member.device for member in self._members]

    def systems(self) -> dict[str, str]:
        """The devices that publish in another system's words, with the system."""
        return {name: group.publish_as for group, name in self._names() if group.publish_as != "memfleet"}

    def truth(self) -> dict[str, Truth]:
        """What is wrong with each device; with those that get an update, what is wrong since then."""
        return {name: self._truth_of(group, name) for group, name in self._names()}

    def _truth_of(self, group: Group, name: str) -> Truth:
        board = BOARDS[group.board]
        if not group.update:
            return truth_of(board, self._drawn(group, name, group.workload)[1])
        truth = truth_of(board, self._drawn(group, name, group.update.workload)[1])
        return replace(truth, from_ms=truth.from_ms + group.update.after_ms)

    def _power_on(self, now_ms: int) -> None:
        self._started = True
        for group, name in self._names():
            chance, plan = self._drawn(group, name, group.workload)
            firmware = Firmware(plan, group.firmware, group.name)
            device = Device(name, BOARDS[group.board], firmware, chance, now_ms)
            device.boot = self._boots_before(name)
            first_ms = now_ms + chance.child("phase").below(group.report_ms)
            self._queue.append((first_ms, len(self._members)))
            link = Link(group.network, chance.child("network"))
            self._members.append(_Member(device, group, first_ms, link, self._update_of(group, name, now_ms)))
        heapq.heapify(self._queue)

    def _update_of(self, group: Group, name: str, now_ms: int) -> tuple[int, Firmware] | None:
        if not group.update:
            return None
        plan = self._drawn(group, name, group.update.workload)[1]
        return now_ms + group.update.after_ms, Firmware(plan, group.update.firmware, group.name)

    def _names(self) -> list[tuple[Group, str]]:
        return [(group, name) for group in self._groups for name in group.device_names()]

    def _drawn(self, group: Group, name: str, workload: str) -> tuple[Chance, Plan]:
        """A device's own stream of numbers, and what it draws from it for that workload."""
        chance = Chance(self._seed).child(name)
        return chance, WORKLOADS[workload].plan(BOARDS[group.board], chance.child("plan"))
