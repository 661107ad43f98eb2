"""Drawn devices as a collector hears them, through the judge itself: what it says of each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from collector.judge.backtest import Shelf
from collector.judge.engine import Judge
from collector.judge.rules import load_rules
from collector.records import Arrival, Finding
from detection.drawing import START_S, Drawn
from telemetry.readings import About
from telemetry.wire import Rows

TICK_S = 300
_KERNEL = 90_000
"""Bytes that the kernel of an MT3620 holds for an application, where none are drawn."""
CLASSES = {
    "heap-leak": "leak", "user-memory-leak": "leak", "kernel-memory-leak": "leak", "task-leak": "leak",
    "heap-fragmentation": "fragmentation", "heap-step": "step", "user-memory-step": "step",
    "stack-creep": "stack-creep",
}  # fmt: skip
"""What the rules of the detectors say is wrong; rules on plain thresholds are not scored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Seconds since the start, what is said to be wrong, and the numbers."""

    at_s: float
    reason: str
    sentence: str
    numbers: dict[str, float]


def judged(
    devices: Sequence[Drawn],
    seconds: float,
    tick_s: int = TICK_S,
    silent_after_s: float = 1e9,
    rules: Collection[str] = tuple(CLASSES),
) -> dict[str, list[Verdict]]:
    """Let the judge hear them all; its verdicts by the rules of these names, by device, in order."""
    chosen = [rule for rule in load_rules(None) if rule.name in rules]
    judge = Judge(chosen, Shelf(), silent_after_s, step_ms=1000 * tick_s)
    verdicts: dict[str, list[Verdict]] = {device.spec.name: [] for device in devices}
    streams = [_Stream(device) for device in devices]
    for tick in range(tick_s, int(seconds) + 1, tick_s):
        blocks = [block for stream in streams for block in stream.until(tick)]
        now_ms = (START_S + tick) * 1000
        for finding in judge.batch([Arrival(now_ms - 10, "agent", blocks)], now_ms):
            if finding.status == "firing":
                verdicts[finding.device].append(_verdict(finding))
    return verdicts


def _verdict(finding: Finding) -> Verdict:
    reason = CLASSES.get(finding.rule, finding.rule)
    return Verdict(finding.at_ms / 1000 - START_S, reason, finding.reason, finding.numbers)


class _Stream:
    """One device's blocks, boot by boot."""

    def __init__(self, device: Drawn) -> None:
        self._spec = device.spec
        self._boots = [boot for boot in device.boots if len(boot.times)]
        self._at, self._done, self._times = 0, 0, list[float]()
        self._kinds: list[tuple[str, tuple[str, ...], tuple[str, ...], list[list[int]]]] = []

    def until(self, tick_s: float) -> Iterator[About | Rows]:
        """What is reported up to then."""
        while self._at < len(self._boots):
            boot, spec = self._boots[self._at], self._spec
            if not self._kinds:
                if boot.times[0] > tick_s:
                    return
                self._open()
                texts = {"platform": spec.platform, "board": spec.board, "firmware": spec.firmware}
                yield About(spec.name, boot.number, texts)
            upto = bisect_right(self._times, tick_s)
            if upto > self._done:
                t0 = (START_S * 1000) + round(self._times[self._done] * 1000)
                u0 = round(float(boot.uptimes[self._done]) * 1000)
                for kind, names, fields, cells in self._kinds:
                    rows = [[ms - t0, up - u0, *values] for ms, up, *values in cells[self._done : upto]]
                    yield Rows(spec.name, boot.number, kind, names, 0, spec.resolution, t0, u0, fields, rows)
            self._done = upto
            if upto < len(self._times):
                return
            self._at, self._done, self._kinds = self._at + 1, 0, []

    def _open(self) -> None:
        boot, spec = self._boots[self._at], self._spec
        self._times = boot.times.tolist()
        heads = [
            [START_S * 1000 + round(time * 1000), round(up * 1000)]
            for time, up in zip(self._times, boot.uptimes.tolist(), strict=True)
        ]
        used = boot.used.astype(int).tolist()
        if spec.platform == "mt3620":
            kernel = [_KERNEL] * len(used) if boot.kernel is None else boot.kernel.astype(int).tolist()
            cells = [[*head, one + held, one, one] for head, one, held in zip(heads, used, kernel, strict=True)]
            self._kinds = [("process", (), ("total", "user_mode", "peak_user_mode"), cells)]
            return
        fields, columns = ["size", "free"], [[spec.size] * len(used), [spec.size - one for one in used]]
        if boot.largest is not None:
            fields.append("largest_free")
            columns.append(boot.largest.astype(int).tolist())
        cells = [[*head, *values] for head, *values in zip(heads, *columns, strict=True)]
        self._kinds = [("heap", ("main",), tuple(fields), cells)]
        if boot.stack is not None:
            deepest = boot.stack.astype(int).tolist()
            cells = [[*head, spec.stack, one] for head, one in zip(heads, deepest, strict=True)]
            self._kinds.append(("stack", ("worker",), ("size", "max_used"), cells))
