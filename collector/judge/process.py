"""The judge as a process: the readings journal in, the findings journal out; it owns the latter."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collector.config import CollectorConfig
from collector.consumer import Stop, run_steps
from collector.devices import DeviceBook
from collector.judge import incident_state, state
from collector.judge.batches import Batches
from collector.judge.engine import Judge
from collector.judge.incidents import Incidents
from collector.judge.rules import Rule, load_rules
from collector.records import Finding, Incident, encode_finding
from collector.trimming import forget_read, readers_of
from telemetry.clock import monotonic_ms
from telemetry.journal import Journal

READINGS, FINDINGS = "readings.journal", "findings.journal"
_FRAMES_AT_ONCE = 2_000
_CHECKPOINT_MS = 1_000
_SETTLE_MS = 600_000


@contextmanager
def garbage_left() -> Iterator[None]:
    """Do not search for garbage meanwhile. A batch brings objects by the hundred thousand, all in use until they are
    judged: Python's search for cycles among every 700 of them finds none, and costs twice what decoding them does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class JudgeProcess:
    """One judge on the files of a collector's directory. After an exception make a new one: it goes on from disk."""

    def __init__(
        self,
        directory: Path,
        rules: Sequence[Rule],
        silent_after_s: float,
        quota_bytes: int,
        settle_ms: int = _SETTLE_MS,
    ) -> None:
        tables = state.TABLES + incident_state.TABLES
        self.journal = Journal(directory / FINDINGS, tables=tables, steps=state.STEPS, quota_bytes=quota_bytes)
        self.judge = Judge(rules, DeviceBook(self.journal.db), silent_after_s)
        self.incidents = Incidents(settle_ms)
        self._state = state.StateFile(self.journal.db, self.judge)
        incident_state.restore(self.journal.db, self.incidents)
        self._batches = Batches(self.journal.db, directory / READINGS)
        self._follow_rules()

    @garbage_left()
    def step(self, frames_at_once: int = _FRAMES_AT_ONCE) -> bool:
        """Judge what has come; everything made of it commits at once. Whether there was anything."""
        batches = self._batches.poll(frames_at_once)
        if not batches:
            return False
        with self.journal.transaction() as db:
            for batch in batches:
                self._append(*self.incidents.take(self.judge.batch(*batch), batch.tick_ms))
            self.journal.count({"ticks": len(batches), "arrivals": sum(len(batch.arrivals) for batch in batches)})
            self.journal.count({"undecodable_frames": self._batches.take_undecodable()})
            incident_state.save(db, self.incidents)
            self._state.save(db)
            self._batches.save(db)
        return True

    def close(self) -> None:
        """Close the files in order."""
        self._batches.close()
        self.journal.close()

    def _append(self, findings: Sequence[Finding], incidents: Sequence[Incident]) -> None:
        """Findings first, then what they make of incidents."""
        if findings or incidents:
            self.journal.append([(encode_finding(said), 1) for said in (*findings, *incidents)])
            self.journal.count(Counter(f"findings_{finding.status}" for finding in findings))
            self.journal.evict()

    def _follow_rules(self) -> None:
        """The file of rules is another than before: what fires by one that is gone would never end, and what fires by
        one of another severity matters as much as that says."""
        severities = {alerts.rule.name: alerts.rule.severity for alerts in self.judge.alerts.values()}
        tick_ms = self.judge.hearing.tick_ms
        with self.journal.transaction() as db:
            orphans = [self.judge.orphan(*orphan) for orphan in state.firing_without_rule(db, self.judge)]
            self._append(*self.incidents.take(orphans, tick_ms))
            self._append(*self.incidents.regrade(severities, tick_ms))
            incident_state.save(db, self.incidents)


def run(config: CollectorConfig, directory: Path, stop: Stop, clock_ms: Callable[[], int] = monotonic_ms) -> None:
    """Judge until stopped. ConfigError when the rules are wrong."""
    rules = load_rules(Path(config.judging.rules_file) if config.judging.rules_file else None)
    quota_bytes, settle_ms = config.retention.journal_max_mb * 2**20, config.judging.settle_s * 1000
    process = JudgeProcess(directory, rules, config.silent_after_s, quota_bytes, settle_ms)
    readers = readers_of("findings", config, directory)
    checkpointed = clock_ms()

    def step() -> bool:
        nonlocal checkpointed
        worked = process.step()
        if clock_ms() - checkpointed >= _CHECKPOINT_MS:
            process.journal.checkpoint()
            forget_read(process.journal, "findings", readers)
            checkpointed = clock_ms()
        return worked

    try:
        run_steps(step, stop, idle_s=0.1)
    finally:
        process.close()
