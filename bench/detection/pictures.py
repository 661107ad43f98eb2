"""Pictures for docs/judging.md: for each detector a case that it catches and one that it leaves alone, as SVG.

    cd bench && python -m detection.pictures ../docs/images [leak boots ...]

The devices are drawn as the benchmark draws them, and judged as it judges them; the mark is where the judge told.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from detection.drawing import DAY, Array, Drawn, Spec, live
from detection.hearing import Verdict, judged

WIDTH, HEIGHT, EDGE = 360, 170, 34
DAYS = 6
SEED = 21
SIZE, BASE = 131_072, 52_000
RATE = 0.06
"""Bytes a second: the heap would end after two weeks."""

CASES = {
    "leak": (("daily", "leak", "A leak under a daily cycle"), ("cache", "", "A cache that fills for days")),
    "boots": (("steady", "self-healing-leak", "Reboots that hide a leak"), ("saw-tooth", "", "Teeth of a saw")),
    "fragmentation": (("steady", "fragmentation", "The largest block shrinks"), ("server", "", "Traffic")),
    "step": (("steady", "step", "Taken at once, and kept"), ("daily", "", "Taken by day, back by night")),
    "stack": (("steady", "stack-creep", "A stack ever deeper"), ("steady", "", "A stack that has seen its worst")),
}


def spec(workload: str, fault: str, picture: str) -> Spec:
    """One device of the kind that a picture shows."""
    rate = 3.0 if fault == "self-healing-leak" else RATE
    return Spec(
        f"{picture}-{workload}-{fault or 'healthy'}", "esp32", "esp32", "1.0.0", SIZE, BASE, workload, fault, rate,
        3.5 * DAY if fault == "step" else 0.0, 300, 1, 4096, SEED,
    )  # fmt: skip


def panel(device: Drawn, told: list[Verdict], title: str, what: str, left: int) -> str:
    """One chart: a line a boot, the largest free block or the stack where the picture is about it."""
    top = device.spec.stack if what == "stack" else SIZE
    parts = [f'<g transform="translate({left},0)"><text x="{EDGE}" y="16" class="title">{title}</text>']
    parts.append(f'<rect x="{EDGE}" y="24" width="{WIDTH - EDGE - 8}" height="{HEIGHT - 48}" class="frame"/>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{EDGE - 4}" y="{_y(share, 1) + 4:.0f}" class="scale">{share * top / 1024:.0f}</text>')
    for day in range(0, DAYS + 1, 2):
        parts.append(f'<text x="{_x(day * DAY):.0f}" y="{HEIGHT - 10}" class="day">{day} d</text>')
    for boot in device.boots:
        columns: list[tuple[Array, str]] = [(boot.used, "used")]
        if what == "fragmentation" and boot.largest is not None:
            columns.append((boot.largest, "largest"))
        if what == "stack" and boot.stack is not None:
            columns = [(boot.stack, "used")]
        parts += [_line(boot.times, column, top, name) for column, name in columns if len(column)]
    for verdict in told[:1]:
        x = _x(verdict.at_s)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{HEIGHT - 24}" class="told"/>')
        parts.append(f'<text x="{x - 4:.1f}" y="36" class="told">told</text>')
    return "".join([*parts, "</g>"])


def _x(at_s: float) -> float:
    return EDGE + at_s / (DAYS * DAY) * (WIDTH - EDGE - 8)


def _y(value: float, top: float) -> float:
    return HEIGHT - 24 - value / top * (HEIGHT - 48)


def _line(times: Array, values: Array, top: float, name: str) -> str:
    step = max(1, len(times) // 400)
    kept = [
        (time, value)
        for at in range(0, len(times), step)
        for time, value in (
            (times[at], np.min(values[at : at + step])),
            (times[min(at + step, len(times)) - 1], np.max(values[at : at + step])),
        )
    ]
    points = " ".join(f"{_x(time):.1f},{_y(value, top):.1f}" for time, value in kept)
    return f'<polyline points="{points}" class="{name}"/>'


STYLE = """<style>text{font:11px sans-serif;fill:#444}.title{font-weight:bold}.scale{text-anchor:end}
.day{text-anchor:middle}.frame{fill:#fff;stroke:#ccc}polyline{fill:none;stroke-width:1}.used{stroke:#2563a8}
.largest{stroke:#c77700}line.told{stroke:#c01c28;stroke-width:1.5}text.told{fill:#c01c28;text-anchor:end}</style>"""


def main() -> None:
    """Write them all."""
    target, seconds = Path(sys.argv[1]), DAYS * DAY
    names = sys.argv[2:] or list(CASES)
    drawn = {name: [live(spec(workload, fault, name), seconds) for workload, fault, _ in CASES[name]] for name in names}
    verdicts = judged([device for devices in drawn.values() for device in devices], seconds)
    for name, devices in drawn.items():
        titles = [title for _, _, title in CASES[name]]
        panels = [
            panel(device, verdicts[device.spec.name], title, name, place * WIDTH)
            for place, (device, title) in enumerate(zip(devices, titles, strict=True))
        ]
        size = f'width="{2 * WIDTH}" height="{HEIGHT}" viewBox="0 0 {2 * WIDTH} {HEIGHT}"'
        text = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{STYLE}{"".join(panels)}</svg>\n'
        (target / f"judging-{name}.svg").write_text(text)
        for device in devices:
            print(
                device.spec.name, [(round(one.at_s / DAY, 2), one.sentence) for one in verdicts[device.spec.name]][:3]
            )


if __name__ == "__main__":
    main()
