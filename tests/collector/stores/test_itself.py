"""The collector's own samples: what they say, and when they are written."""

from __future__ import annotations

from collections.abc import Sequence

from collector.stores.delivery import Outcome
from collector.stores.itself import AFTER_FAILURE_MS, EVERY_MS, Samples, sample_lines
from collector.stores.report import StoreReport
from collector.web.status import ProcessStatus

NAMES = ("plant", "one")


def test_each_process_is_a_line_and_each_reason_to_refuse_another() -> None:
    counters = {"accepted_rows": 7, "quarantined_rows": 3, "quarantined_crc": 2, "quarantined_row": 1}
    intake = ProcessStatus("intake", "readings.journal", True, 10, 1, 5, counters=counters)
    assert list(sample_lines(NAMES, "m_", [intake], 99)) == [
        "m_collector,collector=one,fleet=plant,process=intake accepted_rows=7i,file_bytes=10i,journal_frames=5i 99",
        "m_quarantine,collector=one,fleet=plant,reason=crc rows=2i 99",
        "m_quarantine,collector=one,fleet=plant,reason=row rows=1i 99",
    ]


def test_a_reader_tells_how_far_behind_it_is() -> None:
    store = StoreReport("long", "held", "no such bucket", "", 0, 40, {})
    status = ProcessStatus("store:long", "store-long.db", True, 10, 1, None, 2000, store, lag_frames={"readings": 9})
    (line,) = sample_lines(NAMES, "m_", [status], 99)
    assert line.endswith(" file_bytes=10i,behind_ms=2000i,lag_frames=9i,pending_rows=40i,held=1i 99")


def test_a_process_that_does_not_run_says_nothing() -> None:
    assert list(sample_lines(NAMES, "m_", [ProcessStatus("judge", "findings.journal")], 99)) == []


class Server:
    """A store that takes lines, or does not."""

    name = "long"

    def __init__(self) -> None:
        self.up = True
        self.batches: list[Sequence[str]] = []

    def write(self, lines: Sequence[str]) -> Outcome:
        self.batches.append(lines)
        return Outcome(len(lines)) if self.up else Outcome(retry_after_s=0.0)

    def life(self) -> str | None:
        return None

    def warning(self) -> str:
        return ""


def test_samples_come_at_their_time_and_a_server_that_is_down_is_left_alone() -> None:
    now, server = [0], Server()
    samples = Samples(server, lambda _: ["line"], lambda: now[0])
    written = []
    for _ in range((4 * EVERY_MS + AFTER_FAILURE_MS) // 1000 + 1):
        server.up = now[0] != 3 * EVERY_MS
        before = len(server.batches)
        samples.step()
        written += [now[0]] * (len(server.batches) - before)
        now[0] += 1000
    failed = 3 * EVERY_MS
    assert written == [EVERY_MS, 2 * EVERY_MS, failed, failed + AFTER_FAILURE_MS, failed + AFTER_FAILURE_MS + EVERY_MS]
