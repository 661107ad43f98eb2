"""The morning report over a page that really runs: slopes, gaps, verdicts, and what shadow mode did not send."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from collector.config import CollectorConfig, Notify
from collector.judge.incidents import Incidents
from collector.notify.messages import Message
from collector.notify.outbox import FILE, WAITS, Outbox
from collector.notify.process import Maker
from collector.records import encode_finding
from collector.series.report import gaps_of, slope_of
from memfleet.cli import main
from telemetry.clock import wall_ms
from telemetry.files import connect
from telemetry.journal import Journal
from telemetry.readings import About
from tests.collector.web.seeding import Collector, alert, rows
from tests.collector.web.server import page_process

MINUTE = 60_000


def fill(collector: Collector, now_ms: int) -> None:
    """A leaking board with a task to blame and a gap in the night; two that were just switched on, of which
    one was short of memory for a while."""
    times = [now_ms - (480 - n) * MINUTE for n in range(480) if not 100 <= n < 160]
    minutes = [(time - times[0]) // MINUTE for time in times]
    collector.arrive(
        [
            About("leaky", 1, {"platform": "esp32", "firmware": "1.5"}),
            rows(
                "leaky",
                "heap",
                ("dram",),
                times,
                {"size": [300_000] * 420, "used": [90_000 + 50 * m for m in minutes]},
                uptime_ms=0,
            ),
            rows("leaky", "task", ("net", "dram"), times, {"current": [9_000 + 50 * m for m in minutes]}, uptime_ms=0),
            rows("leaky", "task", ("ui", "dram"), times, {"current": [9_000] * 420}, uptime_ms=0),
            rows("new", "heap", ("dram",), times[-5:], {"size": [300_000] * 5, "used": [1] * 5}, uptime_ms=0),
            rows("young", "heap", ("dram",), times[-5:], {"size": [300_000] * 5, "used": [1] * 5}, uptime_ms=0),
        ]
    )
    found = alert(
        "leaky", "Used memory grows by 2.9 KiB/h.", key="heap-leak|leaky|heap|dram", rule="heap-leak", kind="heap",
        names=("dram",), numbers={"leak_hours_left": 61.5},
    )  # fmt: skip
    named, incidents = Incidents(0).take([found], now_ms)
    collector.find(named[0])
    collector.find(
        alert(
            "leaky", "The device restarted 4 times.", key="reboot-loop|leaky|device", rule="reboot-loop",
            kind="device", names=(),
        )
    )  # fmt: skip
    for status, reason in (("firing", "Only 2.0 KiB are free."), ("resolved", "90 KiB are free again.")):
        collector.find(
            alert(
                "new", reason, key="heap-low|new|heap|dram", rule="heap-low", kind="heap", names=("dram",),
                status=status, since_ms=now_ms - 9 * MINUTE, at_ms=now_ms - (9 if status == "firing" else 4) * MINUTE,
            )
        )  # fmt: skip
    with collector.findings.transaction():
        collector.findings.append([(encode_finding(one), 0) for one in incidents])
    collector.settle()


def leave_waiting(path: Path, now_ms: int) -> None:
    """Two messages that a channel could not deliver, the older of which it tried."""
    with closing(connect(path)) as db:
        outbox = Outbox(db)
        for age in (40, 20):
            message = Message(f"key-{age}", f"the one of {age}", "", "warning", "low", now_ms - age * MINUTE)
            outbox.put(message, ["json://down:9000#16be77"])
        due = outbox.next_due("json://down:9000#16be77", now_ms)
        assert due is not None
        outbox.settle(due, "json://down:9000#16be77", WAITS, error="no answer: timed out")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("reported")
    collector = Collector(directory)
    now_ms = wall_ms()
    fill(collector, now_ms)
    Journal(directory / "desk.journal").close()
    maker = Maker(directory, CollectorConfig(fleet="lab", notify=Notify(mode="shadow")), [("log", None)], 0)
    maker.step(now_ms)
    maker.close()
    leave_waiting(directory / FILE, now_ms)
    with page_process(directory) as url:
        yield url
    collector.close()


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["memfleet", "report", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_the_night_in_a_few_lines(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--since", "12h", "--url", address, "--json")
    found = json.loads(capsys.readouterr().out)
    leak, *others = found["lines"]
    assert (leak["device"], leak["kind"], leak["verdict"], leak["suspect"]) == (
        "leaky",
        "heap",
        "heap-leak",
        "net / dram",
    )
    assert leak["slope"] == pytest.approx(3000, rel=0.01)
    assert leak["slope_low"] <= leak["slope"] <= leak["slope_high"]
    assert (leak["gaps"], leak["longest_gap_s"], leak["boots"]) == (1, 61 * 60, 1)
    assert 60 < leak["hours_left"] < 61.5  # less by what has passed since it was told
    by_name = {(line["device"], *line["names"]): line for line in others}
    assert (by_name["leaky",]["verdict"], by_name["leaky",]["slope"]) == ("reboot-loop", None)
    assert by_name["leaky", "ui", "dram"]["verdict"] == "fine"
    assert leak["ended_ms"] is None
    over = by_name["new", "dram"]
    assert (over["verdict"], over["why"]) == ("heap-low", "90 KiB are free again.")
    assert wall_ms() - over["ended_ms"] > 4 * MINUTE
    assert [line["verdict"] for line in found["lines"][:3]] == ["heap-leak", "reboot-loop", "heap-low"]
    assert by_name["young", "dram"]["verdict"] == "unclear"
    assert by_name["young", "dram"]["why"].startswith("only ")


def test_what_shadow_mode_would_have_sent(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "leaky", "--since", "14d", "--url", address)
    said = capsys.readouterr().out
    assert "heap leak on leaky (lab)" in said
    assert "log: not sent (shadow)" in said
    assert "Used memory grows by 2.9 KiB/h." in said
    assert "What people were told of the whole fleet:" in said
    run(monkeypatch, "new", "--since", "14d", "--url", address)
    assert "heap-low, over  new" in (said := capsys.readouterr().out)
    assert re.search(r"20[-0-9]+ [:0-9]+: 90 KiB are free again", said)


def test_a_device_that_nobody_knows_is_no_empty_report(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["memfleet", "report", "leaky", "laeky", "--url", address])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no device named 'laeky' has reported" in capsys.readouterr().err


def test_which_channels_wait_since_when_and_why(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--since", "10m", "--url", address, "--json")
    found = json.loads(capsys.readouterr().out)
    (one,) = found["waiting"]
    assert wall_ms() - one.pop("since_ms") > 40 * MINUTE
    assert one == {"channel": "json://down:9000#16be77", "messages": 2, "tries": 1, "error": "no answer: timed out"}
    run(monkeypatch, "--since", "10m", "--url", address)
    said = capsys.readouterr().out
    assert "json://down:9000#16be77" in said
    assert "no answer: timed out" in said


def test_slopes_and_gaps() -> None:
    chance = np.random.default_rng(3)
    times = np.arange(0, 8 * 3_600_000, 10_000, dtype=float)
    slope, low, high = slope_of(times, 50_000 + times / 3_600_000 * 700 + chance.uniform(0, 4000, len(times))) or (
        0,
        0,
        0,
    )
    assert low <= 700 <= high
    assert slope == pytest.approx(700, rel=0.1)
    assert slope_of(times[:100], times[:100]) is None
    assert gaps_of([np.array([0, 1000, 2000, 9000, 10_000.0])]) == (1, 7.0)
    assert gaps_of([]) == (0, 0.0)
