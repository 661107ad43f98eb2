"""The list commands against a page that really runs."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from collector.stores.ledger import Ledger
from memfleet.cli import main
from memfleet.desk import answered
from memfleet.tables import clock, moment_ms
from telemetry.clock import wall_ms
from telemetry.errors import UsageError
from telemetry.files import add_counts, connect
from tests.collector.web.seeding import Collector, seed_fleet
from tests.collector.web.server import page_process
from tests.waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("seeded")
    collector = Collector(directory)
    seed_fleet(collector, wall_ms(), others=3)
    collector.refuse("crc", b"\x00\x01")
    with page_process(directory) as url:
        yield url
    collector.close()


class Memfleet(Protocol):
    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Standard output of a command, or its standard error when it is to fail with that status."""


@pytest.fixture
def memfleet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Memfleet:
    def call(*arguments: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["memfleet", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == status, said.err
        return said.err if status else said.out

    return call


def test_devices(address: str, memfleet: Memfleet) -> None:
    listed = json.loads(memfleet("devices", "--url", address, "--json"))
    assert [one["device"] for one in listed][:3] == ["meter-0042", "kitchen-1", "lock-18"]
    assert "meter-0042" in memfleet("devices", "--url", address, "--state", "critical")
    assert "No device matches." in memfleet("devices", "nothing-like-it", "--url", address)


def test_show_and_query(address: str, memfleet: Memfleet) -> None:
    shown = json.loads(memfleet("show", "meter-0042", "--url", address, "--json"))
    assert shown["platform"] == "mt3620"
    assert [one["kind"] for one in shown["series"]] == ["process"]
    assert "leak" in str(shown["open_alerts"])
    told = memfleet("show", "meter-0042", "--url", address)
    assert "User-mode memory grows" in told.replace("\n", " ")
    assert re.search(r"alert +of +since +reason *\ncritical +process ", told)
    (event,) = json.loads(memfleet("show", "kitchen-1", "--url", address, "--json"))["events"]
    assert event["type"] == "alloc_failed"
    shown = memfleet("show", "kitchen-1", "--url", address)
    assert re.search(r"\n *\nkind +name +newest values \(bytes\) *\n(.*\n)+ *\nevent +when +boot +detail *\n", shown)
    assert re.search(r"alloc_failed +\d{4}-\S+ \S+ +\d+ +size=", shown)
    said = memfleet("query", "meter-0042", "event", "--url", address, status=2)
    assert "`memfleet show DEVICE` lists the newest" in said
    points = json.loads(memfleet("query", "kitchen-1", "heap", "DRAM", "--from", "2h", "--url", address, "--json"))
    assert len(points["t"]) == 360
    assert "largest_free" in memfleet("query", "kitchen-1", "heap", "DRAM", "--url", address)
    said = memfleet("query", "kitchen-1", "heap", "DRM", "--url", address, status=2)
    assert "no heap DRM is read of kitchen-1; of that kind is read: DRAM" in said.replace("\n", " ")
    then = ("--from", "60d", "--to", "59d")
    assert "Nothing was read of heap DRAM in that time." in memfleet(
        "query", "kitchen-1", "heap", "DRAM", *then, "--url", address
    )


def test_what_is_silenced_is_what_was_named(address: str, memfleet: Memfleet) -> None:
    def silenced(*chosen: str) -> str:
        return memfleet("incidents", "silence", *chosen, "--for", "1h", "--url", address).split()[1]

    assert silenced("--rule", "silent") == "silent|*", "silence goes by agent"
    assert silenced("--rule", "heap-leak", "--firmware", "1.5.*") == "heap-leak|*|1.5.*|*"
    assert silenced("--device", "meter-1") == "*|meter-1|*"
    for option, wrong in (("rule", ""), ("device", "a|b"), ("firmware", "")):
        said = memfleet("incidents", "silence", f"--{option}", wrong, "--url", address, status=2)
        assert f"--{option} {wrong!r}: no {option} is called so" in said
    said = memfleet("incidents", "silence", "--rule", "silent", "--for", "0s", "--url", address, status=2)
    assert "is over at once" in said
    said = memfleet("incidents", "silence", "--rule", "silent", "--for", "2", "--url", address, status=2)
    assert "seconds, minutes, hours?" in said


def test_alerts_and_quarantine(address: str, memfleet: Memfleet) -> None:
    keys = [one["key"] for one in json.loads(memfleet("alerts", "--url", address, "--json"))]
    assert keys == ["leak|meter-0042|process|", "fragmentation|kitchen-1|heap|DRAM"]
    assert "acknowledged" in memfleet("alerts", "acknowledge", keys[0], "--url", address)
    assert "silenced" in memfleet("alerts", "silence", "*|kitchen-1|*", "--for", "2h", "--url", address)
    (entry,) = json.loads(memfleet("quarantine", "--url", address, "--json"))
    assert entry["reason"] == "crc"
    assert "purge of 1" in memfleet("quarantine", "purge", str(entry["id"]), "--url", address)
    assert "retry of 1" in memfleet("quarantine", "retry", "--reason", "crc", "--url", address)
    assert "retry of 0" in memfleet("quarantine", "retry", "--agent", "nobody", "--url", address)
    assert "store:" not in memfleet("quarantine", "--url", address)
    both = (str(entry["id"]), "999")
    assert "retry of 1 asked for, 1 of them are not there" in memfleet("quarantine", "retry", *both, "--url", address)
    said = memfleet("quarantine", "purge", "999", "--url", address, status=2)
    assert "nothing in quarantine has the number 999" in said


def test_what_a_store_refused_is_told_beside_the_quarantine(tmp_path: Path, memfleet: Memfleet) -> None:
    Collector(tmp_path).close()
    ledger = Ledger(tmp_path / "store-long.db")
    ledger.save_status(state="ok", reason="", since_ms="1")
    ledger.close()
    with closing(connect(tmp_path / "store-long.db")) as db:
        add_counts(db, {"refused_rows": 1_027})
    stores = [{"name": "long", "kind": "influxdb", "url": "http://127.0.0.1:1"}]
    with page_process(tmp_path, {"stores": stores}) as url:
        said = memfleet("quarantine", "--url", url)
    assert said.splitlines() == [
        "Nothing is in quarantine.",
        "store:long took 1,027 rows less: its server refused them; see memfleet doctor",
    ]


def test_leaks_are_told_with_rate_and_time_left(
    address: str, memfleet: Memfleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert memfleet("leaks", "--url", address, "--device", "lock-18") == "Nothing leaks.\n"
    monkeypatch.setattr(sys, "argv", ["memfleet", "leaks", "--url", address])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().out.splitlines()[1:]
    *words, left = line.split()[:5]
    assert words == ["critical", "meter-0042", "process", "281.0"]
    assert re.fullmatch(r"[\d.]+m|\d+s|due", left)  # three minutes when it was told


def test_top_shows_the_worst_first_with_the_reason(address: str, memfleet: Memfleet) -> None:
    lines = memfleet("top", "--once", "--url", address).splitlines()
    assert lines[0].strip() == address
    assert lines[1].startswith("7 devices: 1 critical, 1 warning")
    assert "meter-0042" in lines[3]
    assert "█" in lines[3]
    assert lines[2].split()[-1] == "why"
    assert json.loads(memfleet("top", "lock", "--json", "--url", address))["total"] == 3


def test_top_goes_on_and_says_when_what_it_shows_is_old(tmp_path: Path) -> None:
    """In a terminal, while the page comes to an end."""
    Collector(tmp_path).close()
    screen, terminal = pty.openpty()
    shown = b""

    def wait_for(words: bytes) -> None:
        nonlocal shown
        while words not in shown:
            assert select.select([screen], [], [], LIMIT_S)[0], shown
            shown += os.read(screen, 4096)

    def has_ended() -> bool:
        while select.select([screen], [], [], 0)[0]:  # on a full screen it could not say good-bye
            os.read(screen, 4096)
        return process.poll() is not None

    with contextlib.ExitStack() as until_read:
        url = until_read.enter_context(page_process(tmp_path))
        words = [sys.executable, "-m", "memfleet", "top", "--every", "0.2", "--url", url]
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "20"}
        with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as process:
            wait_for(b"0 devices: none has reported yet")
            until_read.close()
            wait_for(b"old since ")
            process.send_signal(signal.SIGINT)
            wait_until(has_ended, "it ends")
            assert process.returncode == 0
    os.close(screen)
    os.close(terminal)


def test_what_goes_wrong_is_one_clear_line(address: str, memfleet: Memfleet) -> None:
    nobody = memfleet("devices", "--url", "http://127.0.0.1:9", status=1)
    assert nobody.startswith("memfleet: no collector answers at http://127.0.0.1:9 (connection refused); start one")
    assert nobody.count("\n") == 1
    for wrong in ("nonsense", "http://[::1"):
        assert f"--url {wrong} is not an address" in memfleet("devices", "--url", wrong, status=2)
    assert "no device named 'nobody'" in memfleet("show", "nobody", "--url", address, status=2)
    assert "is no device's name" in memfleet("show", "..", "--url", address, status=2)
    assert "no device named 'nobody'" in memfleet("logs", "nobody", "--url", address, status=2)
    assert "/nowhere is no agent's folder" in memfleet("logs", "nobody", "--data", "/nowhere", status=2)
    assert "is not a time" in memfleet("query", "a", "heap", "x", "--from", "soon", "--url", address, status=2)


def test_what_people_did_about_an_alert_is_told() -> None:
    one = {"acknowledged_ms": 0, "silenced_until_ms": wall_ms() - 1000}
    assert answered(one) == ""
    one["silenced_until_ms"] = wall_ms() + 3_600_000
    assert answered(one) == f"silenced until {clock(one['silenced_until_ms'])}"
    one["acknowledged_ms"] = 1
    assert answered(one) == "acknowledged"


def test_moments() -> None:
    now_ms = 1_800_000_000_000
    assert moment_ms("now", now_ms) == now_ms
    assert moment_ms("10m", now_ms) == now_ms - 600_000
    assert moment_ms("1800000000001", now_ms) == now_ms + 1
    assert moment_ms("1800000000", now_ms) == moment_ms("1800000000.0", now_ms) == now_ms
    assert moment_ms("1784512345.678", now_ms) == 1_784_512_345_678
    assert moment_ms("1h30m", now_ms) == moment_ms("90m", now_ms) == now_ms - 5_400_000
    assert moment_ms("2w", now_ms) == now_ms - 14 * 86_400_000
    assert moment_ms("0", now_ms) == 0
    assert moment_ms("999999d", now_ms) == 0
    assert moment_ms("40000", now_ms, is_unset=True) == 40_000
    for text in ("40000", "20261123", "60", "60.5"):  # a date without its hyphens, seconds ago without their unit
        with pytest.raises(UsageError, match="as a time since 1970 is before 2000"):
            moment_ms(text, now_ms)
    assert moment_ms("2026-11-20T12:00:00+00:00", now_ms) == 1_795_176_000_000
    for text in ("yesterday", "\u00b2", "9" * 5000):
        with pytest.raises(UsageError, match="is not a time"):
            moment_ms(text, now_ms)
    with pytest.raises(UsageError, match="is not a span"):
        moment_ms("9" * 400 + "d", now_ms)


@pytest.mark.parametrize(
    "words", [["alerts", "--device", "kitchn-1"], ["leaks", "--device", "kitchn-1"], ["holes", "kitchn-1"],
              ["query", "kitchn-1", "process"]], ids=lambda words: words[0],
)  # fmt: skip
def test_a_device_that_nobody_heard_of_gets_no_all_clear(words: list[str], address: str, memfleet: Memfleet) -> None:
    assert memfleet(*words, "--url", address, status=2) == "memfleet: no device named 'kitchn-1' has reported\n"


def test_the_totals_of_top_say_of_how_many_they_are(address: str, memfleet: Memfleet) -> None:
    assert re.search(r"^0 match, of \d+ devices: ", memfleet("top", "--once", "nosuchword", "--url", address), re.M)


def test_only_a_device_that_is_known_can_be_retired(address: str, memfleet: Memfleet) -> None:
    said = memfleet("devices", "retire", "kitchn-1", "--url", address, status=2)
    assert said == "memfleet: no device named 'kitchn-1' has reported\n"
