"""How fast the judge is: prints one JSON object.

    python bench/judge.py [--series 100000] [--ticks 5]

All times are CPU seconds, so that other work on the machine does not count; medians of the last ticks.
One batch is what comes in between two ticks, and the tick: here one new reading of each series, fifty series a frame.
`batch_s` is what judging it takes: `hear_s` to take in the readings, `tick_s` for histories, detectors and rules. What
comes before and after stands beside it: `decode_s`, to decode the frames as the journal holds them; `commit_s`, to
bring the state on disk up to it, the log folded into the file. `idle_tick_s`: a tick without an arrival. `restore_s`:
to give a new judge the state of the last commit. `bytes_a_series`: growth of the process' memory by series, the batch
itself included; `disk_bytes_a_series`: of the file; `written_bytes_a_series`: what a commit writes.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from collector.devices import DeviceBook
from collector.judge import state
from collector.judge.engine import Judge
from collector.judge.process import garbage_left
from collector.judge.rules import load_rules
from collector.records import Arrival, decode, encode_arrival
from telemetry.journal import Journal
from telemetry.readings import About
from telemetry.wire import Rows, encode_body

SERIES_A_DEVICE = 20
START_MS = 1_790_000_000_000


def arrivals(series: int, now_ms: int) -> list[Arrival]:
    """One reading of each series, fifty series a frame; one heap in a hundred leaks 100 bytes a second."""
    blocks: list[About | Rows] = []
    for number in range(series):
        device, place = f"device-{number // SERIES_A_DEVICE}", number % SERIES_A_DEVICE
        leaked = (now_ms - START_MS) // 10 if number % 100 == 0 else 0
        fields, values = ("size", "free"), [262_144, 200_000 - leaked - (now_ms + number) % 500]
        kind, names = ("heap", (f"heap-{place}",)) if place < 10 else ("stack", (f"thread-{place}",))
        if kind == "stack":
            fields, values = ("size", "min_free"), [2048, 900]
        blocks.append(Rows(device, 1, kind, names, 0, 1, now_ms - 300, None, fields, [[0, None, *values]]))
    return [Arrival(now_ms - 100, "agent", blocks[at : at + 50]) for at in range(0, len(blocks), 50)]


def new_judge(journal: Journal) -> Judge:
    """A judge by the default rules."""
    return Judge(load_rules(None), DeviceBook(journal.db), 300)


def commit(journal: Journal, kept: state.StateFile) -> None:
    """Everything that changed, in one transaction."""
    with journal.transaction() as db:
        kept.save(db)


def take_in(judge: Judge, taken: list[Arrival]) -> None:
    """Hand all arrivals to the judge."""
    for arrival in taken:
        judge.hear(arrival)


def seconds(work: Callable[[], object]) -> float:
    """What it takes of the processor."""
    gc.collect()
    begun = time.process_time()
    with garbage_left():
        work()
    return time.process_time() - begun


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "findings.journal"
        journal = Journal(path, tables=state.TABLES, steps=state.STEPS)
        judge = new_judge(journal)
        kept = state.StateFile(journal.db, judge)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        judge.batch(arrivals(chosen.series, START_MS), START_MS)
        hearing, ticks, idle, commits, written = [], [], [], [], []
        now = START_MS
        for _ in range(chosen.ticks + 16):  # the first sixteen fill the histories
            now += 5_000
            taken = arrivals(chosen.series, now)
            hearing.append(seconds(lambda: take_in(judge, taken)))  # noqa: B023 - called at once
            ticks.append(seconds(lambda: judge.batch([], now)))  # noqa: B023 - called at once
            idle.append(seconds(lambda: judge.batch([], now)))  # noqa: B023 - called at once
            commits.append(seconds(lambda: commit(journal, kept)))
            written.append(path.with_name(path.name + "-wal").stat().st_size)
            commits[-1] += seconds(journal.checkpoint)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        on_disk = path.stat().st_size
        restoring = seconds(lambda: state.StateFile(journal.db, new_judge(journal)))
        journal.close()
    frames = [encode_arrival(one.received_ms, one.agent, 0, encode_body(one.blocks)) for one in taken]
    decoding = seconds(lambda: [decode(frame) for frame in frames])
    hear, tick = median(hearing[-chosen.ticks :]), median(ticks[-chosen.ticks :])
    result = {
        "series": chosen.series,
        "batch_s": round(hear + tick, 3),
        "hear_s": round(hear, 3),
        "tick_s": round(tick, 3),
        "idle_tick_s": round(median(idle[-chosen.ticks :]), 4),
        "decode_s": round(decoding, 3),
        "commit_s": round(median(commits[-chosen.ticks :]), 3),
        "restore_s": round(restoring, 3),
        "bytes_a_series": memory * 1024 // chosen.series,
        "disk_bytes_a_series": on_disk // chosen.series,
        "written_bytes_a_series": round(median(written[-chosen.ticks :])) // chosen.series,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
