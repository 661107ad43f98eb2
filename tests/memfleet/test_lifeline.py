"""A program that is bound to a process of ours ends with it, also where it does not listen at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memfleet.lifeline import bound
from tests.memfleet.running import processes_of
from tests.waiting import wait_until

DEAF = """
import pathlib, signal, sys, time
heard = []
def handle(number, frame):
    heard.append(number)
    if len(heard) > int(sys.argv[2]):
        sys.exit(0)
signal.signal(signal.SIGTERM, handle)
pathlib.Path(sys.argv[1]).touch()
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("times", [0, 1, 1000], ids=["hears it", "loses the first", "never listens"])
def test_a_program_ends_with_the_process_before_it(tmp_path: Path, times: int) -> None:
    runs = tmp_path / "runs"
    command = bound([sys.executable, "-c", DEAF, str(runs), str(times)])
    with subprocess.Popen(command, env={**os.environ}) as before:
        wait_until(runs.exists, "the program runs")
        before.send_signal(signal.SIGTERM)
        before.wait(30)
    assert processes_of(tmp_path) == []
