"""Fleets: the same seed gives the same readings, and their truth is known."""

from __future__ import annotations

import itertools

import pytest

from emulators.chance import Chance
from emulators.config import Clock, FleetConfig, Group, Network, Update
from emulators.fleet import Fleet
from emulators.network import Link
from telemetry.errors import ConfigError
from telemetry.readings import PLATFORMS, About, Reading, fault_of

START = 1_790_000_000_000


def _lived(fleet: Fleet, seconds: int, step_ms: int = 1000) -> list[About | Reading]:
    return [item for now in range(START, START + seconds * 1000 + 1, step_ms) for item in fleet.advance(now)]


def _config(**changes: object) -> FleetConfig:
    group = {"name": "plug", "count": 3, "board": "esp32c3", "workload": "steady", "report_ms": 1000} | changes
    return FleetConfig(seed=7, groups=[Group(**group)])  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_readings_whatever_the_steps() -> None:
    one, other = _lived(Fleet.demo(24, seed=5), 60, 250), _lived(Fleet.demo(24, seed=5), 60, 60_000)
    assert [repr(item) for item in one] == [repr(item) for item in other]
    assert [repr(item) for item in _lived(Fleet.demo(24, seed=6), 60)] != [repr(item) for item in one]


def test_the_demo_has_all_platforms_and_one_leak_in_eight() -> None:
    fleet = Fleet.demo(200, seed=1)
    truth = fleet.truth()
    assert len(truth) == len(fleet) == 200
    assert sum(one.fault == "leak" for one in truth.values()) == 25
    items = _lived(fleet, 4)
    assert {item.device for item in items} == set(truth), "every device reports within its first two seconds"
    platforms = {item.texts["platform"] for item in items if isinstance(item, About)}
    assert platforms == {"mt3620", "esp32", "zephyr"} <= set(PLATFORMS)


@pytest.mark.parametrize("devices", [1, 7, 8])
def test_a_small_demo_has_a_fast_leak_too(devices: int) -> None:
    truth = Fleet.demo(devices, seed=1).truth()
    assert max(one.leak_bytes_per_hour for one in truth.values()) > 100_000


def test_some_leaks_leave_next_to_nothing_within_a_hundred_seconds() -> None:
    fleet = Fleet.demo(64, seed=1)
    fullest: dict[str, float] = {}
    for item in _lived(fleet, 100):
        if isinstance(item, Reading) and item.kind in ("heap", "process") and item.names != ("psram",):
            values = {"size": 262144, "free": 262144 - int(item.values.get("user_mode", 0))} | dict(item.values)
            free = int(values["free"]) / int(values["size"])
            fullest[item.device] = min(free, fullest.get(item.device, 1.0))
    scarce = {device for device, free in fullest.items() if free < 0.08}
    assert len(scarce) >= 3
    assert {fleet.truth()[device].fault for device in scarce} == {"leak"}


def test_about_stands_before_the_first_reading_of_each_boot() -> None:
    seen: set[tuple[str, int]] = set()
    for item in _lived(Fleet.demo(64, seed=2), 150, 5000):
        if isinstance(item, About):
            seen.add((item.device, item.boot))
        else:
            assert (item.device, item.boot) in seen
    assert max(boot for _, boot in seen) > 1


def test_no_two_readings_of_a_series_share_a_moment_and_all_are_sane() -> None:
    seen: set[tuple[object, ...]] = set()
    for item in _lived(Fleet.demo(64, seed=3), 150, 5000):
        if isinstance(item, Reading):
            key = (item.device, item.kind, item.names, item.time_ms)
            assert key not in seen
            seen.add(key)
            assert fault_of(item.kind, item.values, item.flags, item.resolution) is None


def test_readings_come_at_the_rate_of_their_group() -> None:
    items = _lived(Fleet.from_config(_config(report_ms=5000)), 60)
    times = [
        item.time_ms
        for item in items
        if isinstance(item, Reading) and item.kind == "heap" and item.device == "plug-001"
    ]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {5000}


def test_who_is_hurried_reports_more_often_for_as_long_as_was_said() -> None:
    def lived(hurried: list[str], step_ms: int = 1000) -> list[About | Reading]:
        fleet = Fleet.from_config(_config(report_ms=60_000, workload="panics"))
        items = fleet.advance(0) + fleet.advance(200_000)
        fleet.hurry(hurried, 5_000, 400_000)
        return items + [item for now in range(200_000, 900_001, step_ms) for item in fleet.advance(now)]

    def read(items: list[About | Reading]) -> set[int]:
        mine = (one for one in items if isinstance(one, Reading) and one.device == "plug-002")
        return {one.time_ms for one in mine if one.names == ("internal",)}

    usual, hurried = lived([]), lived(["plug-002", "nobody"])
    assert lived(["plug-002"], step_ms=50_000) == hurried
    assert [one for one in hurried if one.device != "plug-002"] == [one for one in usual if one.device != "plug-002"]
    assert read(usual) <= read(hurried), "the usual turns are kept"
    more = read(hurried) - read(usual)
    assert len(more) > 30
    assert min(more) > 200_000
    assert max(more) < 405_000
    told = [one for one in hurried if isinstance(one, Reading) and one.kind == "log" and "level" not in one.values]
    assert any("app_init" in str(one.values["text"]) for one in told), "it panicked and booted meanwhile"
    assert {one.device for one in told} == {"plug-002"}
    assert max(one.time_ms for one in told) < 406_000


def test_a_wish_that_is_taken_back_ends_at_once() -> None:
    fleet = Fleet.from_config(_config(report_ms=60_000))
    fleet.advance(0)
    fleet.advance(60_000)
    fleet.hurry(["plug-001"], 1_000, 600_000)
    fleet.hurry([], 0, 0)
    assert len({one.time_ms for one in fleet.advance(180_000) if one.device == "plug-001"}) <= 3  # type: ignore[union-attr]


def test_what_was_read_while_offline_arrives_late_and_complete() -> None:
    network = Network(offline_percent=30, offline_ms=7000)
    away = Fleet.from_config(_config(network=network))
    there = Fleet.from_config(_config())
    batches = [away.advance(now) for now in range(START, START + 120_001, 1000)]
    arrived = [repr(item) for batch in batches for item in batch]
    read = [repr(item) for item in _lived(there, 120)]
    assert max(len(batch) for batch in batches[5:]) > 12, "a burst when one is back"
    assert set(arrived) <= set(read)
    assert len(arrived) > 0.8 * len(read)
    late = [batch[0].time_ms for batch in batches if batch and isinstance(batch[0], Reading)]
    assert late


def test_a_report_may_arrive_twice() -> None:
    twice = _lived(Fleet.from_config(_config(network=Network(duplicate_percent=100))), 10)
    once = _lived(Fleet.from_config(_config()), 10)
    assert len(twice) == 2 * len(once)


def test_all_faults_of_a_fleet_are_told_at_once() -> None:
    groups = [
        Group(name="a b", board="esp33", workload="steady"),
        Group(name="plug", board="mt3620", workload="tutorial-leak", count=5),
        Group(name="plug", board="mt3620", workload="nothing", first=5),
    ]
    with pytest.raises(ConfigError) as caught:
        Fleet.from_config(FleetConfig(groups=groups))
    faults = "\n".join(caught.value.faults)
    for words in ("groups[0].name", "groups[0].board", "groups[1].workload", "groups[2].workload", "plug-005"):
        assert words in faults


def test_an_update_brings_new_firmware_and_its_fault() -> None:
    update = Update(after_ms=60_000, firmware="2.0.0", workload="fast-leak")
    fleet = Fleet.from_config(_config(update=update))
    items = _lived(fleet, 180)
    abouts = [item for item in items if isinstance(item, About) and item.device == "plug-001"]
    assert [(about.boot, about.texts["firmware"]) for about in abouts] == [(1, "1.0.0"), (2, "2.0.0")]
    events = [item.names[0] for item in items if isinstance(item, Reading) and item.kind == "event"]
    assert events.count("update") == 3
    free = [int(item.values["free"]) for item in items if isinstance(item, Reading) and item.kind == "heap"]
    assert min(free[: len(free) // 3]) > 4 * min(free)
    truth = fleet.truth()["plug-001"]
    assert (truth.fault, truth.from_ms) == ("leak", 60_000)


def test_an_update_must_fit_its_board() -> None:
    with pytest.raises(ConfigError, match=r"groups\[0\].update.workload: ratchet does not run on esp32"):
        Fleet.from_config(_config(update=Update(after_ms=1000, firmware="2", workload="ratchet")))


def test_a_device_offline_for_too_long_gives_up_its_oldest_readings_and_counts_them() -> None:
    link = Link(Network(offline_percent=100, offline_ms=10**9), Chance(1))
    reading = Reading("plug", "heap", ("internal",), 0, {"free": 1})
    for now_ms in range(3):
        assert link.carry([reading] * 4000, now_ms) == []
    assert link.lost == 2000


def _times(clock: Clock) -> list[tuple[int, int]]:
    """Uptime and time of each reading of a device that gets power at hour one of 2026."""
    group = Group(name="plug", board="esp32c3", workload="steady", clock=clock, report_ms=60_000)
    fleet = Fleet([group], seed=1)
    items = fleet.advance(POWER_ON_MS) + fleet.advance(POWER_ON_MS + 3_600_000)
    return [(one.uptime_ms or 0, one.time_ms) for one in items if isinstance(one, Reading)]


POWER_ON_MS = 1_767_225_600_000


def test_a_clock_that_runs_fast_is_ahead_by_its_drift() -> None:
    right, fast = _times(Clock()), _times(Clock(drift_ppm=100))
    assert [uptime for uptime, _ in right] == [uptime for uptime, _ in fast]
    assert {fast_ms - ms for (_, ms), (uptime, fast_ms) in zip(right, fast, strict=True) if uptime > 3_500_000} == {
        (ms - POWER_ON_MS) // 10_000 for _, ms in right if ms - POWER_ON_MS > 3_500_000
    }


def test_a_clock_counts_from_1970_until_it_is_set() -> None:
    times = _times(Clock(unset_ms=600_000))
    assert all(ms == uptime for uptime, ms in times if uptime < 600_000)
    assert all(ms >= POWER_ON_MS + 600_000 for uptime, ms in times if uptime >= 600_000)
    assert {uptime < 600_000 for uptime, _ in times} == {True, False}
