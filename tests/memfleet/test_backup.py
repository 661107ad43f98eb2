"""A backup is taken from a running collector under load; a collector that starts from it has everything it held."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collector.backup import HOLD, back_up, held
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.journal import START, JournalReader, peek_cursor
from tests.faults.ledgers import identity_violations
from tests.faults.rig import rig
from tests.faults.run import Report, drained, verdict, wait_for_acks
from tests.waiting import wait_until

HELD = {"readings.journal", "series.db", "findings.journal", "store-influx.db"}


@pytest.mark.timeout(240)
def test_a_collector_goes_on_from_a_backup(tmp_path: Path) -> None:
    with rig(tmp_path, agents=1, rate=200) as under_test:
        wait_until(lambda: all((under_test.data / name).exists() for name in HELD), "every part has begun its file")
        for number in range(3):
            wait_for_acks(under_test, under_test.oracle.acked() + 200)
            sizes = _backup(tmp_path, tmp_path / f"copy-{number}")
            assert sizes.keys() >= HELD
            _require_whole(tmp_path / f"copy-{number}")
        under_test.rest()
        drained(under_test)
        before = under_test.oracle.committed("agent-1")
        for part in ("intake", "series", "judge", "store:influx", "store:victoria"):
            under_test.children[part].stop()
        with under_test.looking:
            shutil.rmtree(under_test.data)
            shutil.copytree(tmp_path / "copy-2", under_test.data)
        under_test.heal()
        under_test.feeding.set()
        wait_for_acks(under_test, under_test.oracle.acked() + 100)
        under_test.rest()
        later = {n for n in under_test.oracle.committed("agent-1") if n > max(before)}
        wait_until(lambda: later <= set(under_test.found("series")["agent-1"]), "it takes in what comes")
        held_then = set(under_test.found("series")["agent-1"])
        assert _held_in(tmp_path / "copy-2") <= held_then, "it has what the copy had"
        report = verdict(under_test, Report())
        assert (report.invented, report.corrupted, report.identity_violations) == (0, 0, 0), report


def _backup(folder: Path, copy: Path) -> dict[str, int]:
    words = ["backup", "--config", str(folder / "collector.toml"), str(copy), "--json"]
    done = subprocess.run([sys.executable, "-m", "memfleet", *words], capture_output=True, text=True, check=True)
    files: dict[str, int] = json.loads(done.stdout)["files"]
    return files


def _require_whole(copy: Path) -> None:
    """No cursor is past the end of its journal, or before its beginning."""
    frames, _ = JournalReader(copy / "readings.journal").read(START, 100_000)
    first, last = frames[0].id, frames[-1].id
    for file in ("series.db", "findings.journal", "store-influx.db", "store-victoria.db"):
        assert first - 1 <= peek_cursor(copy / file, "readings").id <= last, file
    assert identity_violations(copy) == []


def _held_in(copy: Path) -> set[int]:
    with sqlite3.connect(copy / "series.db") as db:
        return {used for (used,) in db.execute("SELECT used FROM heap")}


def test_a_backup_overwrites_nothing_and_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no collector's files"):
        back_up(tmp_path, tmp_path / "copy")
    (tmp_path / "readings.journal").touch()
    for inside in (tmp_path, tmp_path / "new"):
        with pytest.raises(UsageError, match="emptied before a copy is put back: give another folder"):
            back_up(tmp_path, inside)
    full = tmp_path.with_name(f"{tmp_path.name}-full")
    full.mkdir()
    (full / "something").touch()
    with pytest.raises(UsageError, match="nothing is ever overwritten"):
        back_up(tmp_path, full)


HOLDER = "import fcntl, sys; it = open(sys.argv[1], 'w'); fcntl.flock(it, 2); print(flush=True); sys.stdin.read()"


def test_a_backup_that_is_killed_holds_nothing_up_and_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    with sqlite3.connect(data / "readings.journal") as db:
        db.execute("CREATE TABLE frames(id INTEGER)")
    (data / "series.db").write_bytes(b"no database" * 1000)
    words = [sys.executable, "-c", HOLDER, str(data / HOLD)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert held(data)
        with pytest.raises(UsageError, match=f"another backup of this collector is running: it holds {data / HOLD}"):
            back_up(data, copy)
        other.kill()
    assert (data / HOLD).exists()
    assert not held(data)
    copy.rmdir()
    with pytest.raises(EnvironmentFault, match=r"series\.db cannot be copied"):
        back_up(data, copy)
    assert [file.name for file in copy.iterdir()] == ["series.db.part"]
    (data / "series.db").unlink()
    assert back_up(data, tmp_path / "second").keys() == {"readings.journal"}
    assert not (data / HOLD).exists()


def test_a_folder_of_somebody_elses_is_said(tmp_path: Path) -> None:
    (tmp_path / HOLD).symlink_to(tmp_path / "nowhere" / "hold")
    (tmp_path / "readings.journal").touch()
    with pytest.raises(
        EnvironmentFault, match="cannot be written: No such file or directory; run this as the user that"
    ):
        back_up(tmp_path, tmp_path.with_name("copy"))
