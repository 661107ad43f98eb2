"""A leak that ends in a panic: its log opens at the panic, on the gateway and at the collector, and can be replayed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent.outbox import Outbox
from collector.judge.process import FINDINGS
from collector.notify.heartbeat import last_tick_ms
from emulators.config import Group
from emulators.consoles import DeviceConsole
from memfleet.cli import main
from memfleet.commands import replay
from telemetry.clock import wall_ms
from telemetry.readings import NEVER_SILENT_S, About
from telemetry.wire import Clock, decode_body
from tests.memfleet.running import Collector, Terminal, memfleet
from tests.servers import Mosquitto, free_port, mosquitto
from tests.waiting import said, wait_until

LIFE_MS = 120_000
STEP_MS = 5_000
PACE_S = 0.1
LONGEST_FOR_S = 10
BOARD = Group(name="pump", board="esp32", workload="panics", report_ms=1_000)


def printed() -> list[bytes]:
    """What the board prints until it has panicked and begun anew, piece by piece."""
    console, pieces = DeviceConsole.of(BOARD, "pump", 1), []
    for now in range(0, LIFE_MS, STEP_MS):
        pieces.append(console.advance(now))
        if b"Rebooting" in pieces[-1]:
            return pieces
    raise AssertionError("the board does not panic")


def run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "memfleet", *words], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Story:
    """The board's life, seen by one collector while it happened and by another when its capture was replayed."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder, self.broker = folder, broker
        self.gateway = folder / "gateway"
        self.live = self.collector("live")
        self.again = self.collector("again")

    def collector(self, name: str) -> Collector:
        (self.folder / name).mkdir()
        return Collector(self.folder / name, self.broker.url, fleet=name)

    def watch(self) -> None:
        """The board lives, an agent reads it."""
        terminal, log = Terminal(), self.folder / "agent.log"
        words = ["--fleet", "live", "--name", "gateway", "--broker", self.broker.url, "--data", str(self.gateway)]
        with memfleet("agent", *words, "--port", terminal.path, "--device", "pump", log=log):
            wait_until(lambda: ": open" in said(log), "the port is opened", log)
            for piece in printed():
                terminal.print(piece)
                time.sleep(PACE_S)
            wait_until(lambda: "abort" in events(self.live), "the panic reaches the collector")
            wait_until(lambda: any("Rebooting" in line["text"] for line in logs(self.live)), "its lines, too")
            settle(self.live)
        terminal.close()


def events(collector: Collector) -> dict[str, int]:
    """Types of events with the time of each one's first."""
    answer = collector.get(f"/api/v1/events?device=pump&start=0&end={wall_ms() + 60_000}&limit=1000")
    found: dict[str, int] = {}
    for event in (answer or {"events": []})["events"]:
        found.setdefault(event["type"], event["time_ms"])
    return found


def logs(collector: Collector) -> list[dict[str, Any]]:
    answer = collector.get(f"/api/v1/logs?device=pump&start=0&end={wall_ms() + 60_000}&limit=1000")
    return [] if answer is None else list(answer["logs"])


def readings(collector: Collector) -> dict[str, Any]:
    """Every number of every memory series, in order, without the times."""
    found = {}
    for one in collector.answer("/api/v1/devices/pump/series")["series"]:
        if one["kind"] in ("heap", "stack", "task", "process", "pool"):
            names = "".join(f"&name={quote(name)}" for name in one["names"])
            path = f"/api/v1/points?device=pump&kind={one['kind']}{names}&start=0&end={wall_ms() + 60_000}"
            answer = collector.answer(f"{path}&max_points=5000")
            found[f"{one['kind']} {one['names']}"] = answer["values"]
    return found


def alerts(collector: Collector) -> set[str]:
    """Everything that fired."""
    return {alert["key"] for alert in collector.answer("/api/v1/alerts?active=false")["alerts"]}


def settle(collector: Collector) -> None:
    """Wait until the judge has seen more time after what came than any rule here waits (`for`, 10 s): by its own ticks,
    for it may be behind."""
    until_ms = wall_ms() + 1000 * (LONGEST_FOR_S + 2)
    wait_until(lambda: last_tick_ms(collector.data / FINDINGS) >= until_ms, "it is judged", collector.log)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("field")
    with mosquitto(folder) as broker:
        made = Story(folder, broker)
        with made.live.running(), made.again.running():
            made.live.wait_ready()
            made.again.wait_ready()
            made.watch()
            yield made


def test_the_log_opens_at_the_panic_on_the_gateway(story: Story) -> None:
    at = str(events(story.live)["abort"])
    said = run("logs", "pump", "--data", str(story.gateway), "--around", at, "--span", "5s")
    assert "abort() was called at PC" in said
    assert said.index("Totals:") < said.index("abort() was called") < said.index("Rebooting...")
    found = run("logs", "pump", "--data", str(story.gateway), "--grep", "^abort", "--json").splitlines()
    assert [json.loads(line)["text"][:7] for line in found] == ["abort()"]


def test_the_whole_log_is_kept_as_it_was_received(story: Story) -> None:
    said = run("logs", "pump", "--data", str(story.gateway), "--json").splitlines()
    kept = b"\n".join(json.loads(line)["text"].encode() for line in said) + b"\n"
    assert kept == b"".join(printed())


def test_the_collector_keeps_the_lines_around_the_panic(story: Story) -> None:
    at = str(events(story.live)["abort"])
    url = f"http://127.0.0.1:{story.live.port}"
    said = run("logs", "pump", "--url", url, "--around", at, "--span", "30s")
    lines = said.splitlines()
    panic = next(place for place, line in enumerate(lines) if "abort() was called" in line)
    assert panic > 20
    assert any("Rebooting..." in line for line in lines[panic:])


def test_the_capture_replays_into_a_fresh_collector(story: Story) -> None:
    words = ["--fleet", "again", "--broker", story.broker.url, "--data", str(story.folder / "replay"), "--shift"]
    said = run("replay", str(story.gateway / "capture" / "pump"), "--device", "pump", *words)
    assert "readings delivered" in said
    wait_until(lambda: story.again.get("/api/v1/devices/pump/series"), "the device is known")
    wait_until(lambda: readings(story.again) == readings(story.live), "the same readings")
    assert set(events(story.again)) == set(events(story.live))
    wait_until(lambda: alerts(story.again) == alerts(story.live), "the same alerts")
    limits = story.again.get("/api/v1/devices/pump")["limits"]
    assert limits["silent_after_s"] == NEVER_SILENT_S, "nothing more is to come"


def test_what_a_replay_could_not_deliver_goes_once_and_another_log_after_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(story.gateway / "capture" / "pump"), "--device", "pump-2", "--shift", "--fleet", "again"]
    words += ["--data", str(story.folder / "left")]
    monkeypatch.setattr(replay, "_LOOK_S", 0.1)
    monkeypatch.setattr(replay, "_PATIENCE_S", 0.2)
    monkeypatch.setattr("sys.argv", ["memfleet", "replay", *words, "--broker", f"mqtt://127.0.0.1:{free_port()}"])

    def fail() -> None:
        with pytest.raises(SystemExit):
            main()
        message = capsys.readouterr().err
        assert "frames wait in the outbox; run the same again to deliver them: broker mqtt://" in message

    fail()
    with closing(Outbox(story.folder / "left" / "outbox.journal", 2**30)) as outbox:
        frames = [decode_body(frame.data) for frame in outbox.after(outbox.base, 100)]
    told = [block for frame in frames for block in frame if not isinstance(block, Clock) and block.device == "pump-2"]
    assert isinstance(told[0], About)
    assert told[0].limits["silent_after_s"] == NEVER_SILENT_S, "the first that comes may be weeks old"
    printed_then = run("replay", *words, "--broker", story.broker.url)
    assert printed_then.startswith("delivered what an earlier run had left: ")
    assert "readings delivered" not in printed_then
    wait_until(lambda: story.again.get("/api/v1/devices/pump-2/series"), "the device is known")
    fail()
    words[words.index("pump-2")] = "pump-3"
    printed_then = run("replay", *words, "--broker", story.broker.url)
    assert printed_then.startswith("delivered what an earlier run had left: ")
    assert "readings delivered" in printed_then


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "a/b"], "the command line: device: 'a/b' is not a name"),
        (["--device", "a", "--system", "vxworks"], "the command line: system: 'vxworks' is none of auto, mt3620"),
    ],
)
def test_nothing_is_replayed_under_a_name_that_is_none(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board.log").write_bytes(b"Heap  | Free: 896 bytes, Allocated: 104 bytes\n")
    line = ["memfleet", "replay", str(tmp_path / "board.log"), *words, "--data", str(tmp_path / "outbox")]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit):
        main()
    assert said in capsys.readouterr().err
    assert not (tmp_path / "outbox").exists()
