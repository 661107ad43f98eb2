"""One part of a collector: `python -m tests.faults.part NAME CONFIG CLOCK [hasty] [brisk]`.

CLOCK is a file that holds a number of milliseconds by which the wall clock of this process is wrong; the test steps it.
`hasty` puts the broken build in the intake's place: it acknowledges what it has read and commits once nothing has come
for a while, as the obvious program does. A harness that does not find it out is blind. `brisk`: two seconds of silence
end a connection to the broker, not thirty, so that a test need not wait for it.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import telemetry.clock

_true_ms = telemetry.clock.wall_ms
HASTY_COMMIT_MS = 3_000
BRISK_KEEPALIVE_S = 2


class StepClock:
    """The wall clock, plus what the file says (nothing: 0)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> int:
        try:
            return _true_ms() + int(self._path.read_text() or 0)
        except FileNotFoundError:
            return _true_ms()


def break_intake() -> None:
    """Put acknowledging before the commit, in this process alone."""
    from collector.intake import process

    class HastyIntake(process.Intake):
        _next_commit = 0

        def step(self) -> None:
            self._collect()
            messages, self._inbox = self._inbox, []
            for message in messages:
                self._take(message, self._now_ms())
                self.link.acknowledge(message)
            self._send_acks()
            now = telemetry.clock.monotonic_ms()
            if messages:
                self._next_commit = now + HASTY_COMMIT_MS
            elif self._next_commit and now >= self._next_commit:
                self._next_commit = 0
                self._commit()
                self._keep_house()

    process.Intake = HastyIntake  # type: ignore[misc]


def main(name: str, config: str, clock: str, *how: str) -> None:
    """Run the part until told to stop."""
    telemetry.clock.wall_ms = StepClock(Path(clock))  # before the modules that take it by name are imported
    from collector.config import CollectorConfig
    from memfleet.lifeline import die_with_parent, stop_on_signals
    from memfleet.part import run_part
    from telemetry import mqtt
    from telemetry.settings import load

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    die_with_parent()
    stop = stop_on_signals()
    if "hasty" in how and name == "intake":
        break_intake()
    if "brisk" in how:
        mqtt.KEEPALIVE_S = BRISK_KEEPALIVE_S
    settings = load(CollectorConfig, Path(config), {})
    run_part(name, settings, Path(settings.data_dir), stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
