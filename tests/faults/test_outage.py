"""A store is away for a while: the backlog waits on disk, not in memory, the page stays live, and it drains fast."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collector.stores.report import report
from tests.collector.stores.made import Journals, counting
from tests.faults.child import Child
from tests.memfleet.running import tail, wait_until
from tests.servers import influxd

INGEST_ROWS_S = 2_000
"""The stated rate: 5,000 devices with 24 series, a reading of each a minute."""
BACKLOG_ROWS = 200_000
TIMES = 5
GROWTH_KIB = 64 * 1024


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@pytest.mark.timeout(240)
def test_a_backlog_waits_on_disk_and_drains_at_five_times_the_rate(tmp_path: Path) -> None:
    data = tmp_path / "collector"
    data.mkdir()
    journals = Journals(data)
    for start in range(0, BACKLOG_ROWS, 50_000):
        journals.arrive(*[[counting(50, start=n)] for n in range(start, start + 50_000, 50)])
    with influxd(tmp_path) as influx:
        influx.kill()
        config = tmp_path / "collector.toml"
        config.write_text(
            f'fleet = "plant"\ndata_dir = "{data}"\n[broker]\nurl = "mqtt://127.0.0.1:1"\n'
            f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "{influx.url}"\n'
        )
        store = Child(
            tmp_path / "store.log", "tests.faults.part", ["store:influx", str(config), str(tmp_path / "clock")]
        )
        store.start()
        try:
            file = data / "store-influx.db"
            wait_until(lambda: _pending(file) == BACKLOG_ROWS, f"the lag is shown; {tail(store.log)}")
            before = resident_kib(store.pid)
            time.sleep(2)
            influx.start()
            wait_until(lambda: _pending(file) < BACKLOG_ROWS, "it goes on by itself", 30)
            began, left = time.monotonic(), _pending(file)
            wait_until(lambda: _pending(file) == 0, "everything is written", 60)
            rate = left / (time.monotonic() - began)
            assert rate >= TIMES * INGEST_ROWS_S, f"{rate:.0f} rows/s"
            assert resident_kib(store.pid) - before <= GROWTH_KIB
            written = influx.query("SELECT count(free) FROM memfleet_heap", database="memfleet")
            assert written[0]["count"] == BACKLOG_ROWS
        finally:
            store.kill()


def _pending(file: Path) -> int:
    said = report(file)
    return -1 if said is None else said.pending
