"""The judge on real journals: one journal gives one list of findings, whatever the bites and the kills."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.config import CollectorConfig, Judging
from collector.judge import process, state
from collector.judge.process import JudgeProcess
from collector.judge.rules import load_rules
from collector.records import Finding, decode_finding, encode_arrival, encode_tick
from telemetry.errors import ConfigError
from telemetry.journal import START, Journal, JournalReader
from telemetry.readings import About
from telemetry.wire import Rows, encode_body
from tests.collector.judge.stream import START_MS, rows, write_journal
from tests.waiting import LIMIT_S, wait_until

SECONDS = 400
REBOOT = 110
SETTLE_MS = 60_000
Second = list[tuple[str, list[About | Rows]]]


def _second(number: int) -> Second:
    """A fleet with all that can happen: leaks, thresholds, reboots, events, silence, late rows, several agents."""
    time_ms = START_MS + 1000 * number - 400
    boot, leaking = (1, 6_000 + 120 * number) if number < REBOOT else (2, 6_000)
    gateway: list[About | Rows] = []
    if number == 0:
        gateway.append(About("sphere", 1, {"platform": "mt3620", "firmware": "1.4"}, {"user_mode": 262_144}))
    if number in (0, REBOOT):
        gateway.append(About("leaky", boot, {"platform": "zephyr"}))
    gateway.append(rows("leaky", "heap", ("sys",), time_ms, {"size": 22_528, "used": leaking}, boot=boot))
    used = 1024 * (200 + (number * 7) % 60)
    gateway.append(rows("sphere", "process", (), time_ms, {"user_mode": used}, resolution=1024))
    if number % 97 == 50:
        gateway.append(rows("leaky", "event", ("alloc_failed",), time_ms, {"size": number}, boot=boot))
    if number % 10 == 3:
        late = {"size": 1000, "free": 1}
        gateway.append(rows("late", "heap", ("h",), time_ms - 200_000, late))
    arrivals: Second = [("gateway", gateway)]
    if number < 100 or number > 300:
        arrivals.append(("alone", [rows("quiet", "stack", ("main",), time_ms, {"size": 1000, "min_free": 50})]))
    return arrivals


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / process.READINGS
    write_journal(path, [_second(number) for number in range(SECONDS)])
    return path


def _open(directory: Path) -> JudgeProcess:
    return JudgeProcess(directory, load_rules(None), 60, 2**30, SETTLE_MS)


def _beside(recorded: Path, directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / process.READINGS).symlink_to(recorded)
    return directory


def _findings(directory: Path) -> list[bytes]:
    """Findings and incidents, byte for byte."""
    reader = JournalReader(directory / process.FINDINGS)
    frames, _ = reader.read(START, 100_000)
    reader.close()
    return [frame.data for frame in frames]


def _decoded(found: Sequence[bytes]) -> list[Finding]:
    return [entry for entry in map(decode_finding, found) if isinstance(entry, Finding)]


@pytest.fixture(scope="module")
def gulp(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = _beside(recorded, tmp_path_factory.mktemp("gulp"))
    judge = _open(directory)
    assert judge.step(100_000)
    assert not judge.step(100_000)
    judge.close()
    return directory


@pytest.fixture(scope="module")
def in_one_gulp(gulp: Path) -> list[bytes]:
    return _findings(gulp)


def test_the_stream_holds_every_sort_of_finding(in_one_gulp: list[bytes]) -> None:
    found = _decoded(in_one_gulp)
    assert {(finding.rule, finding.status) for finding in found} >= {
        ("heap-leak", "firing"),
        ("heap-leak", "resolved"),
        ("user-memory-critical", "firing"),
        ("allocation-failed", "firing"),
        ("silent", "firing"),
        ("silent", "resolved"),
        ("stack-low", "firing"),
    }
    assert not [finding for finding in found if finding.device == "late" and finding.rule != "silent"]


def test_each_episode_fires_once_and_ends_at_most_once(in_one_gulp: list[bytes]) -> None:
    seen: dict[str, list[str]] = {}
    for finding in _decoded(in_one_gulp):
        seen.setdefault(finding.episode, []).append(finding.status)
    assert all(statuses in (["firing"], ["firing", "resolved"]) for statuses in seen.values())


@pytest.mark.parametrize("bite", [7])
def test_small_bites_give_the_same_bytes(recorded: Path, in_one_gulp: list[bytes], tmp_path: Path, bite: int) -> None:
    directory = _beside(recorded, tmp_path / "bites")
    judge = _open(directory)
    while judge.step(bite):
        pass
    judge.close()
    assert _findings(directory) == in_one_gulp


def test_kills_between_and_within_commits_give_the_same_bytes(
    recorded: Path, in_one_gulp: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = _beside(recorded, tmp_path / "kills")
    chance = random.Random(4)
    save, kills = state.StateFile.save, 0

    def save_or_die(*arguments: object) -> None:
        nonlocal kills
        save(*arguments)  # type: ignore[arg-type]
        if chance.random() < 0.3:
            kills += 1
            raise RuntimeError("killed inside the transaction")

    monkeypatch.setattr(state.StateFile, "save", save_or_die)
    worked = True
    while worked:
        judge = _open(directory)  # the one before was dropped without close(), as a kill leaves it
        try:
            for _ in range(chance.randint(1, 4)):
                worked = judge.step(chance.choice((5, 20, 90)))
        except RuntimeError:
            judge.journal.db.close()
    assert kills >= 10
    assert _findings(directory) == in_one_gulp


def test_live_in_step_with_its_writer_gives_the_same_bytes(in_one_gulp: list[bytes], tmp_path: Path) -> None:
    writer = Journal(tmp_path / process.READINGS)
    judge = _open(tmp_path)
    chance = random.Random(1)
    for number in range(SECONDS):
        now = START_MS + 1000 * number
        for agent, blocks in _second(number):
            with writer.transaction():
                writer.append([(encode_arrival(now - 5, agent, 0, encode_body(blocks)), 1)])
            if chance.random() < 0.3:
                judge.step()
        with writer.transaction():
            writer.append([(encode_tick(now), 0)])
    judge.step()
    writer.close()
    judge.close()
    assert _findings(tmp_path) == in_one_gulp


def test_alerts_of_a_removed_rule_are_ended(recorded: Path, gulp: Path, tmp_path: Path) -> None:
    directory = _beside(recorded, tmp_path / "removed")
    shutil.copy(gulp / process.FINDINGS, directory)
    firing = {f.episode for f in _decoded(_findings(directory)) if f.status == "firing"}
    ended = {f.episode for f in _decoded(_findings(directory)) if f.status == "resolved"}
    JudgeProcess(directory, (), 60, 2**30).close()
    after = {f.episode for f in _decoded(_findings(directory)) if f.status == "resolved"}
    assert firing - ended
    assert after == firing


def test_run_judges_until_stopped(recorded: Path, in_one_gulp: list[bytes], tmp_path: Path) -> None:
    directory = _beside(recorded, tmp_path / "run")
    stop = threading.Event()
    config = CollectorConfig(silent_after_s=60, judging=Judging(settle_s=SETTLE_MS // 1000))
    thread = threading.Thread(target=process.run, args=(config, directory, stop))
    thread.start()
    wait_until(lambda: (directory / process.FINDINGS).exists() and _findings(directory) == in_one_gulp, "all is judged")
    stop.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_wrong_rules_are_told_before_anything_starts(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\nkind = "heap"\nseverity = "info"\nwhen = "fre < 1"\nreason = "{x}"\n')
    config = CollectorConfig(judging=Judging(rules_file=str(rules)))
    with pytest.raises(ConfigError) as raised:
        process.run(config, tmp_path, threading.Event())
    assert [fault.split(":")[0] for fault in raised.value.faults] == ["rule[0].reason", "rule[0].when"]
