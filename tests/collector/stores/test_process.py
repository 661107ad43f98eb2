from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from collector.config import CollectorConfig, StoreConfig
from collector.stores.process import run
from collector.stores.report import refused, report
from telemetry.errors import EnvironmentFault, UsageError
from tests.collector.stores.fake_influx import fake_influx
from tests.collector.stores.made import Journals, Running, counting
from tests.waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[3]


def test_run_serves_the_named_store_until_stopped(tmp_path: Path) -> None:
    Journals(tmp_path).arrive([counting(20)])
    stop = threading.Event()
    with fake_influx() as fake:
        config = CollectorConfig(fleet="demo", stores=(StoreConfig(name="long", kind="influxdb", url=fake.url, api=2),))
        thread = threading.Thread(target=run, args=(config, tmp_path, stop, "long"))
        thread.start()
        wait_until(lambda: len(fake.points) == 20, "all is written")
        stop.set()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        assert len(fake.points) == 20
    found = report(tmp_path / "store-long.db")
    assert found is not None
    assert (found.name, found.state, found.counters["stored_rows"]) == ("long", "ok", 20)
    assert refused(tmp_path / "store-long.db") == []


def test_killed_again_and_again_it_writes_everything_and_counts_it_once(tmp_path: Path) -> None:
    """SIGKILL while it works through a backlog: what it says was stored agrees with what the server has."""
    journals = Journals(tmp_path)
    program = (
        "import sys, threading, pathlib\n"
        "from collector.config import CollectorConfig, StoreConfig\n"
        "from collector.stores.process import run\n"
        "store = StoreConfig(name='long', kind='influxdb', url=sys.argv[2], api=2, batch_rows=100)\n"
        "run(CollectorConfig(stores=(store,)), pathlib.Path(sys.argv[1]), threading.Event(), 'long')"
    )
    with fake_influx() as fake:
        for start in range(0, 6000, 2000):
            journals.arrive(*[[counting(50, start=start + n * 50)] for n in range(40)])
            before = len(fake.points)
            process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), fake.url], cwd=ROOT)
            wait_until(lambda before=before: len(fake.points) >= before + 300, "it works", pause_s=0.005)  # type: ignore[misc]
            process.kill()
            process.wait()
            found = report(tmp_path / "store-long.db")
            assert found is not None
            assert len(fake.points) - 100 <= found.counters["stored_rows"] <= len(fake.points)
        store = StoreConfig(name="long", kind="influxdb", url=fake.url, api=2, batch_rows=100)
        last = Running(tmp_path, store)
        last.drain()
        assert last.report().counters == {"accepted_rows": 6000, "stored_rows": 6000}
        last.close()
        assert {dict(fields)["free"] for fields in fake.points.values()} == set(range(6000))


def test_an_unknown_name_says_which_there_are(tmp_path: Path) -> None:
    config = CollectorConfig(stores=(StoreConfig(name="long", kind="influxdb", url="http://127.0.0.1:1"),))
    with pytest.raises(UsageError, match="no store is named 'lnog'; the configuration has: long"):
        run(config, tmp_path, threading.Event(), "lnog")


def test_a_missing_secret_is_one_clear_line(tmp_path: Path) -> None:
    store = StoreConfig(name="long", kind="influxdb", url="http://127.0.0.1:1", api=2, token_file="/no/such/token")
    with pytest.raises(EnvironmentFault, match=r"^/no/such/token: No such file or directory$"):
        run(CollectorConfig(stores=(store,)), tmp_path, threading.Event(), "long")


def test_no_report_before_the_process_has_begun(tmp_path: Path) -> None:
    assert report(tmp_path / "store-long.db") is None
