"""A store is away for a while: the backlog waits on disk, not in memory, the page stays live, and it drains at little
cost. How fast it is by the clock is for `bench/`: here the machine does other things, too."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from collector.stores.report import report
from tests.collector.stores.made import T0, Journals, counting, heap
from tests.faults.child import Child
from tests.servers import InfluxDB, influxd
from tests.waiting import wait_until

INGEST_ROWS_S = 2_000
"""The stated rate: 5,000 devices with 24 series, a reading of each a minute."""
BACKLOG_ROWS = 100_000
TIMES = 5
GROWTH_KIB = 64 * 1024
LIVE = 10**9
"""The value of a reading that comes when the store is back."""


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, in user and kernel mode; proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.timeout(240)
def test_a_backlog_waits_on_disk_and_drains_with_a_fifth_of_a_core_at_the_rate(tmp_path: Path) -> None:
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
            "[retention]\nraw_days = 36500\n"  # the readings are of a day in 2026, whatever the day today
            f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "{influx.url}"\n'
        )
        words = [str(config), str(tmp_path / "clock")]
        store = Child(tmp_path / "store.log", "tests.faults.part", ["store:influx", *words])
        series = Child(tmp_path / "series.log", "tests.faults.part", ["series", *words])
        store.start()
        series.start()
        try:
            file = data / "store-influx.db"
            wait_until(lambda: _pending(file) == BACKLOG_ROWS, "the lag is shown", store.log)
            wait_until(lambda: _newest(data) == BACKLOG_ROWS - 1, "the page waits for no store", series.log)
            before, used_s = resident_kib(store.pid), cpu_s(store.pid)
            influx.start()
            journals.arrive([heap([[0, 0, LIVE, 0]], t0=T0 + BACKLOG_ROWS * 1000)])
            wait_until(lambda: _newest(data) == LIVE, "the page is live while the backlog drains")
            wait_until(lambda: _pending(file) < BACKLOG_ROWS, "it goes on by itself")
            stored = _drain_in_order(influx, file)
            rate = BACKLOG_ROWS / (cpu_s(store.pid) - used_s)
            assert rate >= TIMES * INGEST_ROWS_S, f"{rate:.0f} rows a CPU second"
            assert resident_kib(store.pid) - before <= GROWTH_KIB
            assert stored == BACKLOG_ROWS + 1
        finally:
            store.kill()
            series.kill()


def _drain_in_order(influx: InfluxDB, file: Path) -> int:
    """Wait until nothing is pending; whenever one looks, what is stored is the oldest part of it. Rows at the end."""

    def rows_at_the_end() -> int:
        done = _pending(file) == 0
        (newest,) = influx.query("SELECT max(free) FROM memfleet_heap", database="memfleet")
        (written,) = influx.query("SELECT count(free) FROM memfleet_heap", database="memfleet")  # later: no fewer
        assert newest["max"] <= (LIVE if written["count"] > BACKLOG_ROWS else written["count"] - 1), "in order"
        return int(written["count"]) if done else 0

    return wait_until(rows_at_the_end, "it comes to an end", pause_s=0.3)


def _pending(file: Path) -> int:
    said = report(file)
    return -1 if said is None else said.pending


def _newest(data: Path) -> int | None:
    """The value that the page would show as the device's last."""
    file = f"file:{data / 'series.db'}?mode=ro"
    with (
        contextlib.suppress(sqlite3.OperationalError),  # no such file or table yet
        contextlib.closing(sqlite3.connect(file, uri=True)) as db,
    ):
        row = db.execute("SELECT free FROM heap ORDER BY t DESC LIMIT 1").fetchone()
        return row[0] if row else None
    return None
