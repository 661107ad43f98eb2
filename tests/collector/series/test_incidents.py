"""Incidents in series.db: how they stand, what people did about them, which alerts belong to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.judge.incidents import Incidents
from collector.records import Desk, Finding, encode_finding, is_silenced
from collector.series import incidents as stored
from collector.series import reader
from collector.series.incidents import IncidentRow
from collector.series.keeper import DAY_MS
from tests.collector.series.made import T0, Bench, finding, rows

KEY = f"low_free|zephyr|1.0|heap|kernel@{T0}"


class Teller:
    """Findings with the judge's incidents, into the bench's journals."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._incidents = Incidents(0)

    def say(self, *found: Finding, at_ms: int = T0) -> None:
        named, told = self._incidents.take(found, at_ms)
        with self.bench.findings.transaction():
            self.bench.findings.append([(encode_finding(one), 1) for one in named])
            self.bench.findings.append([(encode_finding(one), 0) for one in told])
        self.bench.drain()

    def only(self, *, active_only: bool = True) -> IncidentRow:
        (row,) = stored.incidents(self.bench.db, active_only)
        return row


@pytest.fixture
def teller(tmp_path: Path) -> Teller:
    bench = Bench(tmp_path)
    for device in ("dev-1", "dev-2"):
        bench.arrive(rows("heap", ["kernel"], ["size", "free"], [0, 0, 65_536, 4096], device=device))
    return Teller(bench)


def other(status: str = "firing") -> Finding:
    return finding(status, device="dev-2", key="low_free|dev-2|heap|kernel", episode=f"dev-2@{T0}")


def test_an_incident_opens_grows_and_is_over(teller: Teller) -> None:
    teller.say(finding())
    teller.say(other(), at_ms=T0 + 1000)
    row = teller.only()
    assert (row.incident.key, row.incident.devices, row.incident.firing) == (KEY, 2, 2)
    members = stored.members(teller.bench.db, KEY)
    assert sorted(one["device"] for one in members) == ["dev-1", "dev-2"]
    teller.say(finding("resolved"), other("resolved"), at_ms=T0 + 5000)
    assert stored.incidents(teller.bench.db) == []
    over = teller.only(active_only=False).incident
    assert (over.status, over.at_ms - over.since_ms) == ("resolved", 5000)
    assert reader.counters(teller.bench.db)["series_incidents"] == 4


def test_an_incident_too_says_what_was_before_a_restart(teller: Teller) -> None:
    teller.say(finding(boot=1))
    teller.bench.arrive(rows("heap", ["kernel"], ["size", "free"], [0, 0, 65_536, 60_000], boot=2, t0=T0 + 2))
    said = "Before it restarted: 4 KiB of 64 KiB are free"
    assert teller.only().incident.reason == said
    assert [member["reason"] for member in stored.members(teller.bench.db, KEY)] == [said]
    whole = stored.incident(teller.bench.db, KEY)
    assert whole is not None
    assert whole.incident.reason == said
    teller.say(finding("resolved", boot=2), at_ms=T0 + 5000)
    assert not teller.only(active_only=False).incident.reason.startswith("Before")


@pytest.mark.parametrize(
    ("key", "pattern", "is_quiet"),
    [
        ("silent|gw-2@1790000000000", "silent|*", True),
        ("heap-low:no_data|zephyr|1.5|heap|sys@1", "heap-low|*", True),
        ("heap-low:no_data|zephyr|1.5|heap|sys@1", "heap-low:no_data|*", True),
        ("heap-low|zephyr|1.5|heap|sys@1", "heap-low:no_data|*", False),
        ("heap-lower|zephyr|1.5|heap|sys@1", "heap-low|*", False),
        ("heap-low|dev-1|heap|buf[0]", "heap-low|dev-1|heap|buf[0]", True),
        ("heap-low|dev-1|heap|buf[0]", "*|buf[*", True),
        ("heap-low|dev-1|heap|buf[0]", "heap-low|dev-1|heap|buf[[]0]", True),
        ("heap-low|dev-1|heap|buf[1]", "heap-low|dev-1|heap|buf[0]", False),
    ],
)
def test_a_silence_of_a_rule_is_one_of_all_its_states(key: str, pattern: str, is_quiet: bool) -> None:
    assert is_silenced(key, pattern) is is_quiet


def test_to_acknowledge_an_incident_is_to_acknowledge_its_alerts(teller: Teller) -> None:
    teller.say(finding(), other())
    teller.bench.ask(Desk("acknowledge", T0 + 1, "kim", key=KEY))
    assert (teller.only().acknowledged_ms, teller.only().acknowledged_by) == (T0 + 1, "kim")
    assert [alert.acknowledged_by for alert in reader.alerts(teller.bench.db)] == ["kim", "kim"]


def test_what_was_asked_before_the_incident_is_known_applies_to_it(teller: Teller) -> None:
    teller.bench.ask(Desk("acknowledge", T0 + 1, "kim", key=KEY))
    teller.bench.ask(Desk("silence", T0 + 1, "kim", key="*|*|1.0|*", until_ms=T0 + 9000))
    teller.say(finding())
    assert (teller.only().acknowledged_ms, teller.only().silenced_until_ms) == (T0 + 1, T0 + 9000)


def test_a_silenced_rollout_silences_its_alerts_too(teller: Teller) -> None:
    teller.say(finding())
    teller.bench.ask(Desk("silence", T0 + 1, "kim", key="*|*|1.0|*", until_ms=T0 + 9000))
    assert teller.only().silenced_until_ms == T0 + 9000
    assert reader.alerts(teller.bench.db)[0].silenced_until_ms == T0 + 9000
    teller.bench.ask(Desk("unsilence", T0 + 2, "kim", key="*|*|1.0|*"))
    assert teller.only().silenced_until_ms == 0


def test_old_incidents_are_forgotten(teller: Teller) -> None:
    teller.say(finding())
    teller.say(finding("resolved"), at_ms=T0 + 5000)
    stored.forget_incidents(teller.bench.process._db, T0 + DAY_MS)
    assert stored.incident(teller.bench.db, KEY) is None


def test_a_restart_changes_nothing(teller: Teller) -> None:
    teller.say(finding(), other())
    before = teller.only()
    teller.bench.restart()
    assert teller.only() == before
