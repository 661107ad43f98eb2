"""kill -9 of judge and notifier while an alert is pending, fires and resolves: told once each, whatever the moment."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.judge import process as judge
from collector.notify.heartbeat import last_tick_ms
from collector.records import Finding, Incident, decode_finding, encode_arrival, encode_tick
from telemetry.journal import START, Journal, JournalReader
from telemetry.wire import encode_body
from tests.collector.judge.stream import START_MS, rows
from tests.collector.notify.receiver import receiving
from tests.collector.notify.service import serve
from tests.waiting import wait_until

RULES = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000"
for = "2s"
keep_firing_for = "3s"
reason = "{free:size} are free."
"""
CYCLE = 20
GOOD_AGAIN = 12
PENDING, FIRING, RESOLVING = 6, 9, 13
KILLED_AT = {PENDING, FIRING, RESOLVING}
CYCLES = int(os.environ.get("KILL_EPISODES", "7"))
"""Episodes, each with a kill in each of the three states; `make soak` has 20."""


@contextmanager
def alive(directory: Path, rules: Path, url: str) -> Iterator[None]:
    """Both, killed at the end of the block: no farewell."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["collector.judge.process", "collector.notify.process", "apprise"])
    child = context.Process(target=serve, args=(str(directory), str(rules), url))
    child.start()
    try:
        yield
    finally:
        child.kill()
        child.join(20)


@pytest.mark.timeout(600)
def test_each_episode_is_told_to_begin_once_and_to_end_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    readings = Journal(tmp_path / judge.READINGS)
    Journal(tmp_path / "desk.journal").close()
    chance = random.Random(9)
    kills: Counter[int] = Counter()
    with receiving(200) as receiver:
        second = 0
        while second < CYCLES * CYCLE:
            with alive(tmp_path, rules, receiver.url):
                while second < CYCLES * CYCLE:
                    phase = second % CYCLE
                    if phase == GOOD_AGAIN:  # what is over before it is told is not told, and that is another test
                        wait_until(lambda: _told(receiver.taken)[False] > second // CYCLE, "it is told")  # noqa: B023
                    _write_second(readings, second, free=500 if 5 <= phase < GOOD_AGAIN else 5000)
                    second += 1
                    if phase in KILLED_AT:
                        kills[phase] += 1
                        if chance.random() < 0.7:
                            _wait_judged(tmp_path, second - 1)
                        time.sleep(chance.random() * 0.1)
                        break
        with alive(tmp_path, rules, receiver.url):
            wait_until(lambda: _told(receiver.taken)[True] >= CYCLES, "every end is told")
    readings.close()
    assert kills == dict.fromkeys(KILLED_AT, CYCLES)
    findings, incidents = _said(tmp_path)
    assert Counter(one.status for one in findings) == {"firing": CYCLES, "resolved": CYCLES}
    assert len({one.episode for one in findings}) == CYCLES
    assert [one.status for one in incidents].count("resolved") == CYCLES
    assert _told(receiver.taken) == {False: CYCLES, True: CYCLES}


def _write_second(readings: Journal, second: int, free: int) -> None:
    now = START_MS + 1000 * second
    body = encode_body([rows("board", "heap", ("main",), now - 400, {"size": 9000, "free": free})])
    with readings.transaction():
        readings.append([(encode_arrival(now - 300, "agent", 0, body), 1), (encode_tick(now), 0)])


def _wait_judged(directory: Path, second: int) -> None:
    wait_until(lambda: last_tick_ms(directory / judge.FINDINGS) >= START_MS + 1000 * second, "it is judged")


def _told(taken: list[dict[str, str]]) -> Counter[bool]:
    """How many incidents have ended and begun, to a receiver that knows repeated messages by their keys."""
    bodies = {message["message"].splitlines()[-1]: message["message"] for message in taken}
    lines = [line for body in bodies.values() for line in body.splitlines() if "board main: " in line]
    return Counter(line.startswith("resolved: ") for line in lines)


def _said(directory: Path) -> tuple[list[Finding], list[Incident]]:
    reader = JournalReader(directory / judge.FINDINGS)
    frames, _ = reader.read(START, 100_000)
    reader.close()
    found = [decode_finding(frame.data) for frame in frames]
    return [one for one in found if isinstance(one, Finding)], [one for one in found if isinstance(one, Incident)]
