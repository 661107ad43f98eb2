"""Pictures for docs/judging.md: for each detector a case that it catches and one that it leaves alone, as SVG.

    cd bench && python -m detection.pictures ../docs/images [leak boots ...]

The devices are drawn as the benchmark draws them, and judged as it judges them; the mark is where the judge told.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from detection.drawing import DAY, HOUR, Array, Boot, Drawn, Spec, live
from detection.hearing import TICK_S, Verdict, judged

WIDTH, HEIGHT, EDGE = 360, 170, 34
DAYS = 6
WATCHED_H = {"night": 8, "quiet": 4}
"""Boards at a desk: a sample each ten seconds for so many hours. The others are in the field for days."""
SEED = 21
SIZE, BASE = 131_072, 52_000
RATE, NIGHT_RATE = 0.06, 0.7
"""Bytes a second: the heap would end after two weeks; 20 KiB in a night."""

CASES = {
    "leak": (("daily", "leak", "A leak under a daily cycle"), ("cache", "", "A cache that fills for days")),
    "quiet": (("quiet", "leak", "A leak, after an hour"), ("quiet", "", "A cache that fills")),
    "night": (("server", "leak", "A leak under clients, one night"), ("saw-tooth", "", "Teeth of a saw, one night")),
    "boots": (("steady", "self-healing-leak", "Reboots that hide a leak"), ("saw-tooth", "", "Teeth of a saw")),
    "fragmentation": (("steady", "fragmentation", "The largest block shrinks"), ("server", "", "Traffic")),
    "step": (("steady", "step", "Taken at once, and kept"), ("daily", "", "Taken by day, back by night")),
    "sockets": (("sockets", "leak", "The kernel's part: sockets stay open"), ("sockets", "", "Sockets by day")),
    "stack": (("steady", "stack-creep", "A stack ever deeper"), ("steady", "", "A stack that has seen its worst")),
}


def spec(workload: str, fault: str, picture: str) -> Spec:
    """One device of the kind that a picture shows."""
    rate = 3.0 if fault == "self-healing-leak" else NIGHT_RATE if picture == "night" else RATE
    board = "mt3620" if picture == "sockets" else "esp32"
    return Spec(
        f"{picture}-{workload}-{fault or 'healthy'}", board, board, "1.0.0", SIZE, BASE, workload, fault, rate,
        3.5 * DAY if fault == "step" else 0.0, 10 if picture in WATCHED_H else 300, 1, 4096, SEED,
    )  # fmt: skip


def seconds_of(picture: str) -> float:
    """How long it lasts."""
    return WATCHED_H[picture] * HOUR if picture in WATCHED_H else DAYS * DAY


def drawn(spec: Spec, seconds: float) -> Drawn:
    """The device that a picture shows. `bench/detect.py` draws none whose memory never falls, and no sockets."""
    if spec.workload not in ("quiet", "sockets"):
        return live(spec, seconds)
    times = np.arange(0, seconds, spec.period_s, dtype=np.float64)
    if spec.workload == "sockets":
        by_day = 5 * 16_384 * (np.abs(times % DAY - 13 * HOUR) < 4 * HOUR)
        leaked = 4096 * np.floor(times / (3 * HOUR)) if spec.fault else 0 * times
        return Drawn(spec, [Boot(1, times, times, np.full(len(times), BASE), kernel=49_152 + by_day + leaked)])
    taken = 0.05 * SIZE * np.maximum(0, times / HOUR - 1) if spec.fault else 20_000 * (1 - np.exp(-times / HOUR))
    return Drawn(spec, [Boot(1, times, times, BASE + np.floor(taken / 16) * 16)])


def panel(device: Drawn, told: list[Verdict], title: str, what: str, left: int) -> str:
    """One chart: a line a boot, the largest free block or the stack where the picture is about it."""
    top, lasts_s = {"stack": device.spec.stack, "sockets": 3 * SIZE}.get(what, SIZE), seconds_of(what)
    unit, unit_s = ("h", HOUR) if what in WATCHED_H else ("d", DAY)
    parts = [f'<g transform="translate({left},0)"><text x="{EDGE}" y="16" class="title">{title}</text>']
    parts.append(f'<rect x="{EDGE}" y="24" width="{WIDTH - EDGE - 8}" height="{HEIGHT - 48}" class="frame"/>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{EDGE - 4}" y="{_y(share, 1) + 4:.0f}" class="scale">{share * top / 1024:.0f}</text>')
    for number in range(0, round(lasts_s / unit_s) + 1, 2):
        x = _x(number * unit_s / lasts_s)
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 10}" class="day">{number} {unit}</text>')
    for boot in device.boots:
        columns: list[tuple[Array, str]] = [(boot.used, "used")]
        if what == "fragmentation" and boot.largest is not None:
            columns.append((boot.largest, "largest"))
        if what == "stack" and boot.stack is not None:
            columns = [(boot.stack, "used")]
        if boot.kernel is not None:
            columns = [(boot.kernel, "used")]
        parts += [_line(boot.times / lasts_s, column, top, name) for column, name in columns if len(column)]
    for verdict in told[:1]:
        x = _x(verdict.at_s / lasts_s)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{HEIGHT - 24}" class="told"/>')
        parts.append(f'<text x="{x - 4:.1f}" y="36" class="told">told</text>')
    return "".join([*parts, "</g>"])


def _x(part: float) -> float:
    return EDGE + part * (WIDTH - EDGE - 8)


def _y(value: float, top: float) -> float:
    return HEIGHT - 24 - value / top * (HEIGHT - 48)


def _line(parts: Array, values: Array, top: float, name: str) -> str:
    step = max(1, len(parts) // 400)
    kept = [
        (part, value)
        for at in range(0, len(parts), step)
        for part, value in (
            (parts[at], np.min(values[at : at + step])),
            (parts[min(at + step, len(parts)) - 1], np.max(values[at : at + step])),
        )
    ]
    points = " ".join(f"{_x(part):.1f},{_y(value, top):.1f}" for part, value in kept)
    return f'<polyline points="{points}" class="{name}"/>'


STYLE = """<style>text{font:11px sans-serif;fill:#444}.title{font-weight:bold}.scale{text-anchor:end}
.day{text-anchor:middle}.frame{fill:#fff;stroke:#ccc}polyline{fill:none;stroke-width:1}.used{stroke:#2563a8}
.largest{stroke:#c77700}line.told{stroke:#c01c28;stroke-width:1.5}text.told{fill:#c01c28;text-anchor:end}</style>"""


def main() -> None:
    """Write them all."""
    target = Path(sys.argv[1])
    names = sys.argv[2:] or list(CASES)
    for name in names:
        lasts_s = seconds_of(name)
        devices = [drawn(spec(workload, fault, name), lasts_s) for workload, fault, _ in CASES[name]]
        verdicts = judged(devices, lasts_s, tick_s=60 if name in WATCHED_H else TICK_S)
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
