"""The collector's disk hangs for longer than the broker waits: nothing is acknowledged meanwhile, nothing lost."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.outbox import Outbox
from agent.publisher import Publisher
from telemetry.settings import Broker
from telemetry.wire import Rows, encode_body
from tests.faults.child import Child
from tests.faults.ledgers import counters, identity_violations
from tests.servers import Mosquitto, mosquitto
from tests.waiting import step_until, wait_until

T0 = int(time.time() * 1000) - 3_600_000
FRAMES = 60


class Disk:
    """A real file system in a file, which can be told to take no more writes: whoever writes or syncs hangs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def freeze(self) -> None:
        """From now on writers hang in the kernel."""
        subprocess.run(["fsfreeze", "--freeze", str(self.folder)], check=True)

    def thaw(self) -> None:
        """They go on."""
        subprocess.run(["fsfreeze", "--unfreeze", str(self.folder)], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def disk(image: Path, folder: Path) -> Iterator[Disk]:
    """The file system, mounted at that folder until the block ends."""
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(48 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    made = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False)
    if made.returncode:
        pytest.skip("mounting a disk of its own needs root and a loop device")
    one = Disk(folder)
    try:
        yield one
    finally:
        one.thaw()
        subprocess.run(["umount", "-l", str(folder)], check=True)


def body(number: int) -> bytes:
    """One reading; its number is its value."""
    return encode_body([Rows("d1", 1, "heap", ("h",), 0, 1, T0 + number, number, ("free",), [[0, 0, number]])])


def given_up(broker: Mosquitto) -> int:
    """How often the broker has heard nothing of the collector for too long."""
    return broker.log.read_text().count("plant-collector has exceeded timeout")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk of its own needs root and a loop device")
def test_a_disk_that_hangs_longer_than_the_keepalive_loses_nothing(tmp_path: Path) -> None:
    data, outbox = tmp_path / "collector", Outbox(tmp_path / "outbox", 10**9)
    with mosquitto(tmp_path, configuration="log_type all\n") as broker, disk(tmp_path / "disk", data) as under:
        config = tmp_path / "collector.toml"
        config.write_text(f'fleet = "plant"\ndata_dir = "{data}"\n[broker]\nurl = "{broker.url}"\n')
        intake = Child(tmp_path / "log", "tests.faults.part", ["intake", str(config), str(tmp_path / "clock"), "brisk"])
        publisher = Publisher(outbox, Broker(url=broker.url), ("plant", "rig"))
        send = functools.partial(publisher.step, 0.02)
        intake.start()
        try:
            outbox.add([(body(number), 1) for number in range(FRAMES)])
            step_until(send, lambda: publisher.idle, "the collector has the first frames")
            first_life, timed_out = intake.pid, given_up(broker)
            under.freeze()
            outbox.add([(body(FRAMES + number), 1) for number in range(FRAMES)])
            step_until(send, lambda: given_up(broker) > timed_out, "the broker gives the collector up")
            assert outbox.depth == FRAMES, "nothing that hangs is acknowledged"
            under.thaw()
            step_until(send, lambda: publisher.idle, "the collector has all frames")
            wait_until(
                lambda: counters(data / "readings.journal").get("accepted_rows") == 2 * FRAMES, "all is in", intake.log
            )
            assert identity_violations(data) == []
            assert intake.pid == first_life, "without a restart"
        finally:
            under.thaw()
            publisher.close()
            intake.kill()
