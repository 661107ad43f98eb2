"""Hostile payloads for everything that reads bytes from outside: wire, messages, topics, consoles, maps, settings.

    python -m tests.faults.fuzz --payloads 300000 --seed 1

Real cases are mutated (bits, cuts, splices, bombs) and put into frames whose checksums are right, beside plain noise.
Only declared errors may come out. Prints one JSON object last: payloads by target, refusals by reason, the slowest of
each, p99 of the largest frames, CPU time a refusal, growth of memory; exit status 1 when anything else was raised.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgpack

from agent.config import AgentConfig
from agent.consoles.console import Console
from agent.maps.shipping import load_maps, shipped_names
from collector.config import CollectorConfig
from collector.intake.admission import Admission
from collector.intake.state import TABLES, IntakeState
from telemetry.errors import ConfigError, WireError
from telemetry.files import add_counts
from telemetry.messages import Ack, Command, Status, decode
from telemetry.settings import convert, parse
from telemetry.topics import Topic
from telemetry.wire import HEADER_BYTES, MAX_FRAME, Header, seal

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "cases"
NOW_MS = 1_795_000_000_000
BOMBS = (
    b"\xc1",
    b"\x91" * 5_000,
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff" + b"\x01" * 40,
    b"\xcf" + b"\xff" * 8,
    b"\xcb\x7f\xf8" + bytes(6),
    b"\xd9\x04\xff\xfe\xfd\xfc",
    b"[" * 20_000,
    b"{" * 20_000,
    b'{"a":' * 5_000,
    b"9" * 5_000,
    "\u202e\u0000\x1b[2J".encode(),
    b"\r\n" * 3_000,
    b"\x00" * 4_000,
)


@dataclass
class Findings:
    """What a run saw."""

    payloads: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    undeclared: list[str] = field(default_factory=list)
    slowest_ms: dict[str, float] = field(default_factory=dict)
    wire_ms: list[float] = field(default_factory=list)
    refused_cpu_s: float = 0.0
    refused_count: int = 0


class Target:
    """Something that reads bytes: `read` returns the reason of a refusal, and raises nothing but what is `declared`."""

    def __init__(
        self,
        name: str,
        seeds: Sequence[bytes],
        read: Callable[[bytes], str],
        declared: tuple[type[Exception], ...] = (),
    ) -> None:
        self.name = name
        self.seeds = seeds
        self.read = read


def wire_target() -> Target:
    """Frames into a real admission, its checksums right; the state is thrown away now and then."""
    seeds = [
        bytes.fromhex(" ".join(line for line in path.read_text().splitlines() if not line.startswith("#")))
        for path in sorted((CASES / "wire").glob("*.hex"))
    ]
    topic = str(Topic.of("plant", "rig", "frame"))
    box: list[Admission] = []
    taken = 0

    def read(payload: bytes) -> str:
        nonlocal taken
        if taken % 500 == 0:
            box[:] = [Admission(_state(), "plant")]
        taken += 1
        body = payload[HEADER_BYTES:][: MAX_FRAME - HEADER_BYTES]
        admission = box[0]
        state = admission.state
        before = len(state.refused)
        admission.take(topic, payload, NOW_MS)
        seq = state.contig.get(("rig", 1), 0) + 1
        admission.take(topic, seal(Header(1, seq, 1, 0), body), NOW_MS)
        counts = state.counts
        known = counts["accepted_rows"] + counts["duplicate_rows"] + counts["quarantined_rows"]
        assert counts["received_rows"] == known, "the identity in rows"
        return state.refused[-1].reason if len(state.refused) > before else ""

    return Target("wire", seeds, read)


def _state() -> IntakeState:
    db = sqlite3.connect(":memory:")
    db.executescript("CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;" + TABLES)
    add_counts(db, {})
    return IntakeState(db)


def message_target() -> Target:
    """Status, ack and command; the payload is also read as a topic."""
    seeds = [b'{"online":true,"epoch":5,"version":"1"}', b'{"epoch":5,"contig":9,"anchors":{"b":1}}', b'{"until_ms":5}']

    def read(payload: bytes) -> str:
        refused = ""
        for kind in (Status, Ack, Command):
            try:
                decode(payload, kind)
            except WireError as error:
                refused = error.reason
        try:
            Topic.parse(payload.decode(errors="replace"))
        except WireError as error:
            refused = refused or error.reason
        return refused

    return Target("messages", seeds, read)


def console_target() -> Target:
    """Whole logs, in one piece, with what stays open at the end."""
    logs = [path for path in sorted((CASES / "consoles").rglob("*")) if path.is_file() and path.suffix != ".json"]
    seeds = [path.read_bytes()[:6_000] for path in logs]

    def read(payload: bytes) -> str:
        console = Console()
        console.feed(payload)
        console.settle()
        console.close()
        return "" if console.understood else "nothing understood"

    return Target("consoles", seeds, read)


def map_target() -> Target:
    """Messages of devices that publish by themselves, on topics of every map."""
    maps = load_maps(shipped_names())
    topics = [one.replace("+", "dev1").replace("#", "x/y") for one in maps.subscriptions]
    files = [path for path in (CASES / "maps").rglob("*") if path.is_file()]
    cases = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    seeds = [str(case["payload"]).encode() for case in cases if "payload" in case]
    topics += [case["topic"] for case in cases if "topic" in case]
    turn = 0

    def read(payload: bytes) -> str:
        nonlocal turn
        turn += 1
        maps.apply(topics[turn % len(topics)], payload, turn % 7 == 0, NOW_MS)
        return ""

    return Target("maps", seeds, read)


def settings_target() -> Target:
    """Configuration files of collector and agent."""
    seeds = [path.read_bytes() for path in sorted((ROOT / "deploy").glob("*.toml"))]

    def read(payload: bytes) -> str:
        try:
            document = parse(payload, "fuzz.toml")
        except ConfigError:
            return "toml"
        refused = ""
        for kind in (CollectorConfig, AgentConfig):
            try:
                convert(kind, document, "fuzz.toml")
            except ConfigError:
                refused = "settings"
        return refused

    return Target("settings", seeds, read)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One hostile payload."""
    kind = rng.random()
    if kind < 0.1:
        return rng.randbytes(rng.choice((0, 1, 37, 38, 200, 2_000)))
    if kind < 0.13:
        return rng.choice(BOMBS)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        _mutate(rng, data, seeds)
    return bytes(data[:70_000])


def _mutate(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    place = rng.randrange(len(data) + 1)
    how = rng.randrange(6)
    if how == 0 and place < len(data):
        data[place] ^= 1 << rng.randrange(8)
    elif how == 1 and place < len(data):
        data[place] = rng.choice((0, 0x7F, 0x80, 0xC0, 0xC1, 0xFF, rng.randrange(256)))
    elif how == 2:
        del data[place : place + rng.choice((1, 2, 8, len(data)))]
    elif how == 3:
        other = rng.choice(seeds)
        start = rng.randrange(len(other) + 1)
        data[place:place] = other[start : start + rng.choice((1, 8, 200))]
    elif how == 4:
        data[place:place] = rng.choice(BOMBS)[: rng.choice((1, 9, 20_000))]
    else:
        data[place:place] = data[place : place + rng.choice((1, 4, 64))] * rng.choice((1, 2, 50))


def attack(target: Target, count: int, rng: random.Random, findings: Findings) -> None:
    """So many payloads for one target."""
    slowest = 0.0
    for _ in range(count):
        payload = mutated(rng, target.seeds)
        began = time.process_time()
        try:
            reason = target.read(payload)
        except Exception:
            findings.undeclared.append(f"{target.name}: {payload[:200]!r}\n{traceback.format_exc(limit=-3)}")
            continue
        took = time.process_time() - began
        slowest = max(slowest, took)
        if target.name == "wire":
            findings.wire_ms.append(took * 1000)
        if reason:
            findings.refused[f"{target.name} {reason}"] += 1
            findings.refused_cpu_s += took
            findings.refused_count += 1
    findings.payloads[target.name] += count
    findings.slowest_ms[target.name] = round(slowest * 1000, 2)


def largest_ms(count: int, rng: random.Random) -> list[float]:
    """CPU milliseconds to take in, or to refuse, so many frames of nearly the largest size; the best of three each."""
    admission, times = Admission(_state(), "plant"), []
    for number in range(count):
        rows = [[index, index, rng.getrandbits(20), rng.choice((7, 7, None))] for index in range(4_500)]
        body = bytearray(msgpack.packb([[1, "d1", 1, "heap", ["h"], 0, 1, NOW_MS, 0, ["free", "used"], rows]]))
        if rng.random() < 0.5:
            _mutate(rng, body, BOMBS)
        sealed = [seal(Header(number * 3 + n, 1, 1, 0), bytes(body[: MAX_FRAME - HEADER_BYTES])) for n in range(3)]
        times.append(min(_taken_ms(admission, frame) for frame in sealed))
    return sorted(times)


def _taken_ms(admission: Admission, frame: bytes) -> float:
    began = time.process_time()
    admission.take(str(Topic.of("plant", "rig", "frame")), frame, NOW_MS)
    took = time.process_time() - began
    admission.state.committed()
    return took * 1000


def run(payloads: int, seed: int) -> dict[str, object]:
    """Attack every target; the wire gets the most. What a run reports."""
    rng, findings = random.Random(seed), Findings()
    targets = {wire_target(): 0.5, message_target(): 0.2, map_target(): 0.15, settings_target(): 0.05}
    targets[console_target()] = 0.1
    for target in targets:
        attack(target, 200, random.Random(seed), Findings())  # fill what is filled once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for target, share in targets.items():
        attack(target, int(payloads * share), rng, findings)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    largest = largest_ms(max(50, payloads // 300), rng)
    return {
        "payloads": sum(findings.payloads.values()),
        "by_target": findings.payloads,
        "refused": findings.refused.most_common(40),
        "undeclared": len(findings.undeclared),
        "details": findings.undeclared[:5],
        "slowest_ms": findings.slowest_ms,
        "wire_p99_ms": round(sorted(findings.wire_ms)[len(findings.wire_ms) * 99 // 100], 2),
        "largest_p99_ms": round(largest[len(largest) * 99 // 100], 2),
        "ms_a_refusal": round(1000 * findings.refused_cpu_s / max(1, findings.refused_count), 4),
        "memory_growth_mib": round(grown / 1024, 1),
        "seed": seed,
    }


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payloads", type=int, default=300_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    report = run(chosen.payloads, chosen.seed)
    print(json.dumps(report))
    return 1 if report["undeclared"] else 0


if __name__ == "__main__":
    sys.exit(main())
