"""Two collectors share a fleet by shards; one dies, the other adopts its folder; nothing is lost and order holds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import AgentConfig, Outbox
from agent.process import Agent
from collector.ownfile import own_files
from collector.records import Arrival, decode
from memfleet.alone import Alone
from memfleet.part import Asked, shard_range
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import open_read_only
from telemetry.journal import START, JournalReader
from telemetry.settings import Broker
from telemetry.topics import shard_of
from telemetry.wire import Rows
from tests.faults.ledgers import counters
from tests.faults.numbered import reading
from tests.memfleet.running import memfleet, run
from tests.servers import free_port, influxd, mosquitto
from tests.waiting import LIMIT_S, wait_until

FLEET = "plant"
LOW, HIGH = "00-7f", "80-ff"


def agents_of(shards: str, count: int) -> list[str]:
    """Names that fall into these shards."""
    owned = set(shard_range(shards))
    names = (f"gateway-{number}" for number in range(1000))
    return [name for name in names if shard_of(name) in owned][:count]


class Talker:
    """An agent of every day that is told numbers."""

    def __init__(self, name: str, broker: str, folder: Path, start_ms: int) -> None:
        settings = Outbox(commit_ms=50)
        config = AgentConfig(fleet=FLEET, name=name, broker=Broker(url=broker), outbox=settings, data_dir=str(folder))
        self.name, self._start_ms, self._said = name, start_ms, 0
        self.agent = Agent(config, folder)

    def say(self, upto: int) -> None:
        """Readings with the next numbers, one frame each so that there is an order to lose."""
        while self._said < upto:
            self._said += 1
            self.agent.take([reading(self.name, self._said, self._start_ms)])
            if self._said % 10 == 0:
                self.step(0.06)
        self.agent.commit()  # only what is committed counts as not delivered

    def step(self, seconds: float = 0.01) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.agent.step(0.005)

    @property
    def delivered(self) -> bool:
        """Whether the collector has everything that was said and committed."""
        return not self.agent.outbox.depth


def config(folder: Path, name: str, broker: str, stores: str = "") -> Path:
    """A collector's configuration below `folder`, with its data beside it."""
    file = folder / f"{name}.toml"
    file.write_text(
        f'fleet = "{FLEET}"\nname = "{name}"\ndata_dir = {json.dumps(str(folder / name))}\n{stores}\n'
        f'[broker]\nurl = "{broker}"\n[page]\nport = {free_port()}\n'
    )
    return file


@contextlib.contextmanager
def talkers(names: list[str], broker: str, folder: Path) -> Iterator[list[Talker]]:
    start_ms = time.time_ns() // 1_000_000 - 3_600_000
    found = [Talker(name, broker, folder / "agents" / name, start_ms) for name in names]
    try:
        yield found
    finally:
        for talker in found:
            talker.agent.close()


def collect(folder: Path, file: Path, *words: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return memfleet("collect", "--config", str(file), *words, log=folder / f"{file.stem}.log")


def numbers_in(journal: Path, devices: list[str]) -> dict[str, list[int]]:
    """What a readings journal holds of each device, in its order."""
    reader, cursor = JournalReader(journal), START
    found: dict[str, list[int]] = {device: [] for device in devices}
    while True:
        frames, cursor = reader.read(cursor, 1000)
        if not frames:
            return found
        for frame in frames:
            entry = decode(frame.data)
            for block in entry.blocks if isinstance(entry, Arrival) else ():
                if isinstance(block, Rows) and block.device in found and block.kind == "heap":
                    found[block.device] += [row[2 + block.fields.index("used")] for row in block.rows]


def test_the_living_collector_takes_over_the_dead_one(tmp_path: Path) -> None:
    names = agents_of(LOW, 2) + agents_of(HIGH, 2)
    with mosquitto(tmp_path) as broker, influxd(tmp_path) as influx, talkers(names, broker.url, tmp_path) as all_:
        stores = f'[[stores]]\nname = "long"\nkind = "influxdb"\nurl = "{influx.url}"\n'
        # What one store never takes, no journal forgets: so the order can be read there at the end.
        stores += f'[[stores]]\nname = "never"\nkind = "influxdb"\nurl = "http://127.0.0.1:{free_port()}"\n'
        one, other = (config(tmp_path, name, broker.url, stores) for name in ("one", "other"))

        def all_delivered() -> bool:
            for talker in all_:
                talker.step()
            return all(talker.delivered for talker in all_)

        with collect(tmp_path, other, "--shards", HIGH):
            with collect(tmp_path, one, "--shards", LOW) as dying:
                for talker in all_:
                    talker.say(50)
                wait_until(all_delivered, "both take their own", tmp_path / "one.log")
                influx.pause()
                for talker in all_:
                    talker.say(100)
                wait_until(all_delivered, "both journal on while the store hangs")
                dying.kill()
                dying.wait()
            influx.resume()
            for talker in all_:
                talker.say(150)
            low = [talker for talker in all_ if talker.name in agents_of(LOW, 2)]
            assert not any(talker.delivered for talker in low), "nobody is there for the dead one's shards"
        with collect(tmp_path, other, "--shards", HIGH, "--adopt", str(tmp_path / "one")):
            for talker in all_:
                talker.say(200)
            wait_until(all_delivered, "the living one takes all", tmp_path / "other.log")

            def stored() -> bool:
                query = "SELECT count(used) AS n FROM memfleet_heap GROUP BY device"
                counts = {row["device"]: row["n"] for row in influx.query(query, "memfleet")}
                return counts == dict.fromkeys(names, 200)

            wait_until(stored, "every reading is in the store, once", tmp_path / "other.log")
            returning = [sys.executable, "-m", "memfleet", "collect", "--config", str(one), "--shards", LOW]
            refused = subprocess.run(returning, capture_output=True, text=True, timeout=120, check=False)
            assert (refused.returncode, "adopted by collector other" in refused.stderr) == (1, True), refused.stderr
        for folder, shards in (("one", LOW), ("other", HIGH)):
            owned = agents_of(shards, 2)
            journal = tmp_path / folder / "readings.journal"
            assert numbers_in(journal, owned) == {name: list(range(1, 201)) for name in owned}
            assert counters(journal).get("hole_frames", 0) == 0


def test_what_moved_to_another_collector_is_neither_kept_nor_acknowledged(tmp_path: Path) -> None:
    """The broker's session outlives a restart with its old subscriptions."""
    (name,) = agents_of(HIGH, 1)
    with mosquitto(tmp_path) as broker, talkers([name], broker.url, tmp_path) as (talker,):
        file = config(tmp_path, "one", broker.url)
        journal = tmp_path / "one" / "readings.journal"

        def count(counter: str) -> int:
            talker.step(0.05)
            return counters(journal).get(counter, 0) if journal.exists() else 0

        with collect(tmp_path, file, "--only", "intake"):
            talker.say(10)
            wait_until(lambda: count("accepted_rows"), "readings are taken", tmp_path / "one.log")
            wait_until(lambda: count("accepted_rows") and talker.delivered, "it owns all shards at first")
        kept = count("accepted_rows")
        with collect(tmp_path, file, "--shards", LOW, "--only", "intake"):
            talker.say(20)
            wait_until(lambda: count("foreign_messages"), "foreign ones are noticed", tmp_path / "one.log")
        assert count("accepted_rows") == kept
        assert not talker.delivered


def test_a_second_collector_is_refused_the_folder(tmp_path: Path) -> None:
    with Alone(tmp_path, "memfleet collect", "end that one"):
        environment = {**os.environ, "MEMFLEET_DATA_DIR": str(tmp_path)}
        words = [sys.executable, "-m", "memfleet", "collect"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2
    assert done.stderr.startswith(f"memfleet: another `memfleet collect` keeps its data in {tmp_path}; end that one")
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("wrong", ["", "00-7", "0-ff", "7", "00-", "-7f", "7f-00", "000-fff", "xy"])
def test_shards_are_written_in_two_digits(wrong: str) -> None:
    with pytest.raises(UsageError, match="write two hex digits or a range of them, as 00-7f"):
        Asked(None, wrong).collectors()
    assert (shard_range("00-FF")[-1], shard_range("7f"), len(shard_range("80-ff"))) == ("ff", ["7f"], 128)


def test_a_collector_that_runs_is_not_adopted(tmp_path: Path) -> None:
    one, other = (config(tmp_path, name, "mqtt://127.0.0.1:9") for name in ("one", "other"))
    identity = tmp_path / "one" / "collector.json"
    with collect(tmp_path, one):
        wait_until((tmp_path / "one" / "readings.journal").exists, "its intake runs", tmp_path / "one.log")
        before = identity.read_bytes()
        done = run("collect", "--config", other, "--adopt", tmp_path / "one")
        assert (done.returncode, "another `memfleet collect` keeps its data in" in done.stderr) == (2, True)
        done = run("collect", "--config", other, "--adopt", tmp_path / "one", "--only", "intake")
        assert (done.returncode, "is written by another process" in done.stderr) == (1, True)
        assert identity.read_bytes() == before


@pytest.mark.parametrize("part", ["series", "page", "store:far"])
def test_a_part_that_runs_already_is_not_run_twice(tmp_path: Path, part: str) -> None:
    """Two would each go on from what is in the file: what they count would be doubled, a message go out twice."""
    data, file = tmp_path / "data", tmp_path / "c.toml"
    file.write_text(
        f'data_dir = "{data}"\n[page]\nport = 0\n[broker]\nurl = "mqtt://127.0.0.1:9"\n'
        '[[stores]]\nname = "far"\nkind = "influxdb"\nurl = "http://127.0.0.1:9"\n'
    )
    words = ["collect", "--config", str(file), "--only", part]
    own = data / own_files(["far"])[part]
    with memfleet(*words, log=tmp_path / "first.log"):
        wait_until(own.exists, "the first has its file", tmp_path / "first.log")
        done = run(*words)
    assert done.returncode == 1
    assert f"{own} is written by another process: end that one" in done.stderr


def test_a_folder_that_is_removed_while_it_is_in_use_is_begun_anew(tmp_path: Path) -> None:
    names = agents_of("00-ff", 1)
    with mosquitto(tmp_path) as broker, talkers(names, broker.url, tmp_path) as (talker,):
        file, data = config(tmp_path, "one", broker.url), tmp_path / "one"

        def held() -> int:
            with contextlib.suppress(sqlite3.Error), contextlib.closing(open_read_only(data / "series.db")) as db:
                return int(db.execute("SELECT count(*) FROM heap").fetchone()[0])
            return 0

        def whole() -> bool:
            talker.step()
            return talker.delivered and held() > 0 and (data / "page.port").exists() and (data / "notify.db").exists()

        with collect(tmp_path, file):
            talker.say(10)
            wait_until(whole, "readings are stored", tmp_path / "one.log")
            while data.exists():  # they go on writing while it is emptied
                shutil.rmtree(data, ignore_errors=True)
            talker.say(20)
            wait_until(whole, "those that come later are stored, too", tmp_path / "one.log")
            with pytest.raises(UsageError, match="another `memfleet collect` keeps its data"):
                Alone(data, "memfleet collect", "")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(EnvironmentFault, match=f"{tmp_path}/lock cannot be written: Is a directory"):
        Alone(tmp_path, "memfleet collect", "")
