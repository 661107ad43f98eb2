"""A directory of labelled readings, drawn by whomever, judged as `memfleet backtest` judges a recording.

`*.ndjson` or `*.ndjson.gz` are readings as `memfleet export` writes them. `labels.json` says of every device in them
what is wrong with it; times are seconds since 1970, and "" is a healthy device:

    {"plug-1": {"fault": ""}, "plug-2": {"fault": "leak", "from": 1790000000, "ends": 1790400000}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from collector.judge.backtest import Backtest
from collector.judge.recorded import Recording, batches, open_lines, record, tick_step_ms
from collector.judge.rules import load_rules
from detection.drawing import REASON, Drawn, Spec
from detection.hearing import CLASSES, Verdict
from telemetry.ndjson import time_of


def judged_directory(directory: Path) -> tuple[list[Drawn], dict[str, list[Verdict]], float]:
    """The labelled devices, what was said of each, and how long the recording lasts, seconds.

    ValueError says which label or reading does not fit.
    """
    labels = json.loads((directory / "labels.json").read_text())
    verdicts: dict[str, list[Verdict]] = {name: [] for name in labels}
    with ExitStack() as files:
        recording = record(_lines(directory, files), files, time_of)
        if recording.refusals:
            raise ValueError(f"{directory}: {recording.refusals} lines cannot be read; {recording.refused[0]}")
        for line in _said(recording):
            if line["device"] not in verdicts:
                raise ValueError(f"{directory / 'labels.json'} says nothing of {line['device']}")
            at_s = line["detected_at"] - recording.start_ms / 1000
            verdicts[line["device"]].append(Verdict(at_s, CLASSES[line["rule"]], line["reason"], line["numbers"]))
    devices = [_device(name, label, recording.start_ms / 1000) for name, label in labels.items()]
    return devices, verdicts, (recording.end_ms - recording.start_ms) / 1000


def _lines(directory: Path, files: ExitStack) -> Iterator[bytes]:
    for path in sorted((*directory.glob("*.ndjson"), *directory.glob("*.ndjson.gz"))):
        yield from open_lines(path, files)


def _said(recording: Recording) -> Iterator[dict[str, Any]]:
    rules = [rule for rule in load_rules(None) if rule.name in CLASSES]
    step_ms = tick_step_ms(recording.end_ms - recording.start_ms, recording.sampling_ms())
    test = Backtest(rules, 1e9, step_ms)
    for line in test.run(batches(recording.readings(), recording.start_ms, step_ms)):
        if line["type"] == "verdict" and line["status"] == "firing":
            yield line


def _device(name: str, label: dict[str, Any], start_s: float) -> Drawn:
    fault = label["fault"]
    if fault and fault not in REASON:
        raise ValueError(f"{name}: {fault} is none of {', '.join(REASON)}")
    ends = label.get("ends")
    spec = Spec(name, "", "", "", 0, 0.0, "", fault, from_s=label.get("from", start_s) - start_s)
    return Drawn(spec, [], None if ends is None else ends - start_s)
