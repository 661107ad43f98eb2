"""The collector's disk is full: nothing is acknowledged, that is said, and it goes on by itself once there is room."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.process import Agent
from collector.web.status import statuses, unready
from telemetry.clock import wall_ms
from telemetry.errors import DiskFull
from telemetry.readings import Reading
from telemetry.settings import Broker
from telemetry.wire import Rows, decode_body
from tests.faults.rig import Rig, rig
from tests.faults.run import Report, drained, verdict, wait_for_acks
from tests.servers import free_port
from tests.waiting import said, tail, wait_until

DISK_MB = 96


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own at that folder."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=False)
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing more fits."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096 if shutil.disk_usage(folder).free < 2**20 else 2**18))
    return filler


def standstill(under_test: Rig) -> bool:
    """Whether no number was acknowledged for two seconds."""
    before = under_test.oracle.acked()
    time.sleep(2)
    return under_test.oracle.acked() == before


@pytest.mark.timeout(240)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_stops_acks_is_said_and_ends_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "collector"), rig(tmp_path, agents=1) as under_test:
        wait_for_acks(under_test, 100)
        data = under_test.data

        def refilled() -> bool:
            fill(data)  # the ballast that went, and what was trimmed, too
            return standstill(under_test)

        wait_until(refilled, "acks stop")
        intake = under_test.children["intake"]
        lives = intake.own_deaths

        def stands_still() -> bool:
            fill(data)
            reasons = unready(statuses(data, (), wall_ms()), wall_ms())
            return any(
                reason.startswith("intake has written nothing") and reason.endswith("s: the disk is full")
                for reason in reasons
            )

        wait_until(stands_still, "it is said")
        assert "the disk is full; nothing is acknowledged until it can be written again" in said(intake.log)
        held = under_test.oracle.acked()
        (data / "filler").unlink()
        wait_for_acks(under_test, held + 1)
        assert intake.own_deaths == lives, "without a restart"
        assert f"{data / 'readings.journal'} is written again" in said(intake.log)
        under_test.rest()
        drained(under_test)
        report = verdict(under_test, Report())
        assert report.kept, (report, tail(intake.log))
        assert report.missing_acked == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_of_a_gateway_costs_no_reading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, told = tmp_path / "gateway", 0
    with small_disk(folder):
        agent = Agent(AgentConfig(name="gw", broker=Broker(url=f"mqtt://127.0.0.1:{free_port()}")), folder)

        def say(number: int) -> int:
            for value in range(number, number + 100):
                agent.take([Reading("d", "heap", ("k",), wall_ms(), {"free": value}, 1, 1000)])
            agent._next_commit = agent._next_checkpoint = 0
            agent.step(0)
            return number + 100

        while "the disk is full; readings wait in memory" not in caplog.text:
            fill(folder)
            told = say(told)
        agent.outbox.set_boot("d", 7)
        for _ in range(20):
            told = say(told)
        assert caplog.text.count("the disk is full") == 1
        commits = agent.commits
        (folder / "filler").unlink()
        told = say(told)
        assert agent.commits > commits
        assert "there is room on the disk again" in caplog.text
        assert agent.outbox.boot_of("d") == 7, "what was to be remembered was not forgotten with the first try"
        bodies = [decode_body(frame.data) for frame in agent.outbox.after(0, 100_000)]
        rows = [block for body in bodies for block in body if isinstance(block, Rows) and block.device == "d"]
        assert [value for block in rows for _, _, value in block.rows] == list(range(told))
        monkeypatch.setattr("agent.process.HELD_MOST_BYTES", 1)

        def say_on_and_on() -> None:
            for number in range(100):
                fill(folder)
                say(number)

        with pytest.raises(DiskFull):
            say_on_and_on()
        (folder / "filler").unlink()
        agent.close()
