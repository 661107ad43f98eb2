"""Incidents: one a fault, whoever has it; the same after a kill as without."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as some

from collector.judge import incident_state
from collector.judge.incidents import Incidents
from collector.records import ALL_AGENTS, Finding, Incident

T0 = 1_790_000_000_000
SETTLE_MS = 600_000


def finding(device: str = "a", status: str = "firing", at_ms: int = T0, **more: object) -> Finding:
    values = {"rule": "heap-leak", "severity": "warning", "kind": "heap", "firmware": "1.5", "names": ("main",)} | more
    key = f"{values['rule']}|{device}|{values['kind']}"
    return Finding(
        key=key, episode=f"{key}@{at_ms}", status=status, device=device, since_ms=at_ms, at_ms=at_ms,
        reason=f"{device} leaks.", platform="zephyr", **values,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def incidents() -> Incidents:
    return Incidents(SETTLE_MS)


def take(incidents: Incidents, *found: Finding, at_ms: int = T0) -> list[Incident]:
    return incidents.take(found, at_ms)[1]


def test_one_fault_on_many_devices_is_one_incident(incidents: Incidents) -> None:
    first = take(incidents, finding("a"))
    grown = take(incidents, *(finding(f"board-{n}", at_ms=T0 + 60_000) for n in range(99)), at_ms=T0 + 61_000)
    assert [(one.key, one.devices, one.firing, one.first) for one in (*first, *grown)] == [
        (f"heap-leak|zephyr|1.5|heap|main@{T0}", 1, 1, "a"),
        (f"heap-leak|zephyr|1.5|heap|main@{T0}", 100, 100, "a"),
    ]


@pytest.mark.parametrize("other", [{"firmware": "1.6"}, {"rule": "heap-low"}, {"names": ("psram",)}])
def test_another_fault_is_another_incident(incidents: Incidents, other: dict[str, object]) -> None:
    keys = {one.key for one in take(incidents, finding("a"), finding("b", **other))}
    assert len(keys) == 2


def test_the_worst_speaks_for_all(incidents: Incidents) -> None:
    found = take(
        incidents,
        finding("slow", numbers={"leak_hours_left": 90.0}),
        finding("fast", numbers={"leak_hours_left": 3.0}),
        finding("unknown"),
    )
    assert (found[0].worst, found[0].reason, found[0].numbers) == ("fast", "fast leaks.", {"leak_hours_left": 3.0})
    worse = take(incidents, finding("bad", severity="critical"))
    assert (worse[0].worst, worse[0].severity) == ("bad", "critical")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"free": 3000.0, "size": 65536.0}, {"free": 500.0, "size": 65536.0}),  # heap-low, heap-nearly-full
        ({"free": 500.0, "size": 8192.0}, {"free": 700.0, "size": 65536.0}),
        ({"min_free": 100.0, "limit": 2048.0}, {"min_free": 16.0, "limit": 2048.0}),  # stack-low
        ({"min_free": 100.0}, {"min_free": 16.0}),  # stack-low-of-unknown-size
        ({"used": 960.0, "size": 1000.0}, {"used": 1000.0, "size": 1000.0}),  # pool-nearly-full
        ({"fill": 0.91, "limit": 262144.0}, {"fill": 0.96, "limit": 262144.0}),  # user-memory-high
    ],
)
def test_of_what_is_low_the_worst_has_least_left(
    incidents: Incidents, better: dict[str, float], worse: dict[str, float]
) -> None:
    found = take(incidents, finding("first", numbers=better), finding("second", numbers=worse))
    assert found[0].worst == "second"


def test_what_ends_is_as_severe_as_what_began_though_its_rule_is_gone(incidents: Incidents) -> None:
    take(incidents, finding("a", severity="critical"))
    (ended,), _ = incidents.take([finding("a", "resolved", severity="info")], T0 + 1000)
    assert (ended.status, ended.severity) == ("resolved", "critical")


def test_another_severity_of_its_rule_is_that_of_what_fires(incidents: Incidents) -> None:
    take(incidents, finding("a"), finding("b"), finding("c", rule="other"))
    (open_one,) = take(incidents, finding("a", "resolved", T0 + 1000), at_ms=T0 + 1000)
    incidents.changed.clear()
    found, (told,) = incidents.regrade({"heap-leak": "critical", "other": "warning"}, T0 + 2000)
    assert [(one.device, one.status, one.severity, one.at_ms) for one in found] == [
        ("b", "resolved", "warning", T0 + 2000), ("b", "firing", "critical", T0 + 2000)
    ]  # fmt: skip
    assert [(one.incident, one.reason) for one in found] == [
        (open_one.key, "It goes on as critical, as its rule says now."), (open_one.key, "b leaks.")
    ]  # fmt: skip
    assert (told.key, told.severity, told.firing, told.at_ms) == (open_one.key, "critical", 1, T0 + 2000)
    assert len(incidents.changed) == 2
    assert incidents.regrade({"heap-leak": "critical"}, T0 + 3000) == ([], [])
    _, (told,) = incidents.regrade({"heap-leak": "info"}, T0 + 4000)
    assert told.severity == "info", "of what has ended, too"


def test_it_is_over_when_nothing_has_fired_for_a_while(incidents: Incidents) -> None:
    take(incidents, finding("a"), finding("b"))
    assert take(incidents, finding("a", "resolved", T0 + 1000), at_ms=T0 + 1000)[0].firing == 1
    calm = take(incidents, finding("b", "resolved", T0 + 5000), at_ms=T0 + 5000)
    assert (calm[0].status, calm[0].firing) == ("firing", 0)
    assert take(incidents, at_ms=T0 + 5000 + SETTLE_MS - 1) == []
    (over,) = take(incidents, at_ms=T0 + 5000 + SETTLE_MS)
    assert (over.status, over.since_ms, over.at_ms, over.devices) == ("resolved", T0, T0 + 5000, 2)
    assert incidents.open == {}


def test_what_comes_back_within_that_while_is_the_same_incident(incidents: Incidents) -> None:
    keys = set()
    for swing in range(10):
        at_ms = T0 + swing * 60_000
        for status in ("firing", "resolved"):
            keys |= {one.key for one in take(incidents, finding("a", status, at_ms), at_ms=at_ms)}
    assert len(keys) == 1
    assert len(take(incidents, at_ms=T0 + 10**9)) == 1
    (again,) = take(incidents, finding("a", at_ms=T0 + 10**9), at_ms=T0 + 10**9)
    assert again.key not in keys


def test_what_may_come_back_later_is_waited_for_as_long(incidents: Incidents) -> None:
    (first,) = take(incidents, finding("a"))
    ended = finding("a", "resolved", T0 + 1000, settle_ms=3 * SETTLE_MS)
    (calm,) = take(incidents, ended, at_ms=T0 + 1000)
    assert (calm.firing, calm.ended, first.ended) == (0, "a leaks.", "")
    assert take(incidents, at_ms=T0 + 1000 + 3 * SETTLE_MS - 1) == []
    (again,) = take(incidents, finding("a", at_ms=T0 + 3 * SETTLE_MS), at_ms=T0 + 3 * SETTLE_MS)
    assert (again.key, again.ended) == (first.key, "")
    at_ms = T0 + 4 * SETTLE_MS
    take(incidents, finding("a", "resolved", at_ms), at_ms=at_ms)
    (over,) = take(incidents, at_ms=at_ms + 3 * SETTLE_MS)
    assert (over.status, over.ended) == ("resolved", "a leaks. It has not happened again for 30 min.")


def test_teeth_that_touch_a_limit_each_two_hours_are_two_incidents(incidents: Incidents) -> None:
    """The second waits for twice the pause after the first, and is over when the teeth have stopped."""
    told = []
    for tooth in range(12):
        at_ms = T0 + tooth * 7_200_000
        told += take(incidents, finding("a", at_ms=at_ms), at_ms=at_ms)
        told += take(incidents, finding("a", "resolved", at_ms + 600_000), at_ms=at_ms + 600_000)
        told += take(incidents, at_ms=at_ms + 600_000 + SETTLE_MS)
    told += take(incidents, at_ms=at_ms + 600_000 + 2 * 6_600_000)
    ended = [one for one in told if one.status == "resolved"]
    assert len({one.key for one in told}) == 2
    assert [one.ended for one in ended] == ["a leaks.", "a leaks. It has not happened again for 3.7 hours."]


def test_what_comes_back_after_more_than_half_a_week_is_told_anew_each_time(incidents: Incidents) -> None:
    for again in range(3):
        at_ms = T0 + again * 302_400_001
        take(incidents, finding("a", at_ms=at_ms), finding("a", "resolved", at_ms), at_ms=at_ms)
        assert len(take(incidents, at_ms=at_ms + SETTLE_MS)) == 1


def test_an_update_of_the_firmware_ends_the_alert_in_its_own_incident(incidents: Incidents) -> None:
    take(incidents, finding("a"))
    (calm,) = take(incidents, finding("a", "resolved", firmware="1.6"))
    assert calm.key == f"heap-leak|zephyr|1.5|heap|main@{T0}"


def silent(device: str, agent: str, at_ms: int, status: str = "firing") -> Finding:
    return finding(device, status, at_ms, rule="silent", kind="device", names=(), agent=agent)


def test_silence_belongs_to_the_agent_and_to_its_time(incidents: Incidents) -> None:
    together = take(incidents, silent("a", "gateway-1", T0), silent("b", "gateway-1", T0), silent("c", "gateway-2", T0))
    assert sorted(one.devices for one in together) == [1, 2]
    (weeks_later,) = take(incidents, silent("d", "gateway-1", T0 + 10**9), at_ms=T0 + 10**9)
    assert weeks_later.devices == 1
    (all_at_once,) = take(incidents, *(silent(f"x{n}", ALL_AGENTS, T0) for n in range(9)))
    assert all_at_once.devices == 9


def flaps(incidents: Incidents, devices: str, every_ms: int, lasts_ms: int, times: int) -> list[Incident]:
    """These devices of a gateway are silent for a while, again and again; all that is told."""
    told = []
    for time in range(times):
        at_ms = T0 + time * every_ms
        told += take(incidents, *(silent(one, "gw", at_ms) for one in devices), at_ms=at_ms)
        at_ms += lasts_ms
        told += take(incidents, *(silent(one, "gw", at_ms, "resolved") for one in devices), at_ms=at_ms)
        told += take(incidents, at_ms=at_ms + SETTLE_MS)
    return told


@pytest.mark.parametrize(("devices", "every_min", "lasts_min"), [("a", 30, 5), ("a", 70, 60), ("abc", 200, 1)])
def test_who_falls_silent_again_and_again_is_told_of_twice(
    incidents: Incidents, devices: str, every_min: int, lasts_min: int
) -> None:
    told = flaps(incidents, devices, every_min * 60_000, lasts_min * 60_000, 12)
    told += take(incidents, at_ms=told[-1].at_ms + 86_400_000)
    keys = {one.key: one for one in told}
    assert len(keys) == 2
    assert [one.status for one in keys.values()] == ["resolved", "resolved"]
    assert {one.devices for one in keys.values()} == {len(devices)}


def test_a_rack_that_is_switched_off_each_night_is_told_of_each_time(incidents: Incidents) -> None:
    told = flaps(incidents, "abc", 86_400_000, 10 * 3_600_000, 5)
    assert len({one.key for one in told}) == 5


def test_another_device_that_is_lost_later_is_told_though_one_falls_silent_again_and_again(
    incidents: Incidents,
) -> None:
    first = flaps(incidents, "a", 1_800_000, 300_000, 3)
    at_ms = T0 + 3 * 1_800_000
    (again,) = take(incidents, silent("a", "gw", at_ms), at_ms=at_ms)
    assert again.key in {one.key for one in first}
    (other,) = take(incidents, silent("b", "gw", at_ms + SETTLE_MS + 1), at_ms=at_ms + SETTLE_MS + 1)
    assert other.key not in {one.key for one in first}
    (elsewhere,) = take(incidents, silent("a", ALL_AGENTS, at_ms + 10**7), at_ms=at_ms + 10**7)
    assert elsewhere.key not in {one.key for one in first}


def test_whose_incident_goes_on_without_it_is_told_anew(incidents: Incidents) -> None:
    """Another device of it has been silent for hours: nobody would hear of this one."""
    (both,) = take(incidents, silent("a", "gw", T0), silent("b", "gw", T0))
    take(incidents, silent("a", "gw", T0 + 300_000, "resolved"), at_ms=T0 + 300_000)
    (again,) = take(incidents, silent("a", "gw", T0 + 900_000), at_ms=T0 + 900_000)
    assert again.key == both.key, "it has hardly been heard"
    take(incidents, silent("a", "gw", T0 + 1_000_000, "resolved"), at_ms=T0 + 1_000_000)
    (later,) = take(incidents, silent("a", "gw", T0 + 9_000_000), at_ms=T0 + 9_000_000)
    assert later.key != both.key


def test_findings_name_their_incident(incidents: Incidents) -> None:
    (named,), (told,) = incidents.take([finding("a")], T0)
    assert named.incident == told.key
    (unknown,), none = incidents.take([finding("z", "resolved")], T0)
    assert (unknown.incident, none) == ("", [])


Stream = list[tuple[int, list[Finding]]]


@some.composite
def streams(draw: some.DrawFn) -> Stream:
    """Ticks with findings as a judge gives them: a thing fires, then is resolved, then may fire again."""
    things = some.tuples(some.sampled_from("abcd"), some.sampled_from(("1", "2", "silent")))
    firing: set[tuple[str, str]] = set()
    ticks: Stream = []
    at_ms = T0
    for _ in range(draw(some.integers(1, 25))):
        at_ms += draw(some.sampled_from((1_000, 60_000, SETTLE_MS, 6 * SETTLE_MS)))
        found = []
        for thing in draw(some.lists(things, max_size=4, unique=True)):
            device, firmware = thing
            status = "resolved" if thing in firing else "firing"
            firing ^= {thing}
            if firmware == "silent":
                found.append(silent(device, draw(some.sampled_from(("gw", ALL_AGENTS))), at_ms, status))
                continue
            settle_ms = draw(some.sampled_from((0, 3 * SETTLE_MS))) if status == "resolved" else 0
            more = {"firmware": firmware, "rule": f"rule-{firmware}", "settle_ms": settle_ms}
            found.append(finding(device, status, at_ms, **more))
        ticks.append((at_ms, found))
    return ticks


@given(streams(), some.integers(0, 2**32))
def test_killed_and_restored_it_says_the_same(ticks: Stream, seed: int) -> None:
    straight = Incidents(SETTLE_MS)
    expected = [straight.take(found, at_ms) for at_ms, found in ticks]
    chance = random.Random(seed)
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(incident_state.TABLES)
        killed = Incidents(SETTLE_MS)
        said = []
        for at_ms, found in ticks:
            said.append(killed.take(found, at_ms))
            incident_state.save(db, killed)
            if chance.random() < 0.5:
                killed = Incidents(SETTLE_MS)
                incident_state.restore(db, killed)
    assert said == expected


@given(streams())
def test_every_incident_ends_once_and_no_alert_is_left_out(ticks: Stream) -> None:
    incidents = Incidents(SETTLE_MS)
    told: list[Incident] = []
    named: list[Finding] = []
    for at_ms, found in ticks:
        more, news = incidents.take(found, at_ms)
        named, told = named + more, told + news
    assert all(one.incident for one in named)
    ended = [one.key for one in told if one.status == "resolved"]
    assert len(ended) == len(set(ended))
    assert {one.incident for one in named} == {*ended, *incidents.open}
    for key, one in incidents.open.items():
        statuses = {f.key: f.status for f in named if f.incident == key}
        assert one.firing == list(statuses.values()).count("firing")
