"""Readings into bodies: nothing is lost, nothing shares a timestamp, nothing grows past the wire's limit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.framing import CLOSE_ROWS, Framer, bodies
from telemetry.readings import About, Reading
from telemetry.wire import HEADER_BYTES, MAX_FRAME, Rows, decode_body, decode_each

NOW = 1_795_000_000_000

readings = st.builds(
    Reading,
    device=st.sampled_from(["d1", "d2"]),
    kind=st.just("heap"),
    names=st.sampled_from([("internal",), ("psram",)]),
    time_ms=st.integers(NOW, NOW + 30),
    values=st.fixed_dictionaries({"free": st.integers(0, 2**40)}, optional={"used": st.integers(0, 2**40)}),
    boot=st.integers(1, 2),
    uptime_ms=st.none() | st.integers(0, 10_000),
    flags=st.sampled_from([(), ("debugger",), ("unreliable", "guess")]),
    resolution=st.sampled_from([1, 1024]),
)


def read_back(closed: list[tuple[bytes, int]]) -> list[Reading]:
    """All readings of these bodies."""
    return [r for body, _ in closed for block in decode_body(body) if isinstance(block, Rows) for r in block.readings()]


@settings(max_examples=150)
@given(st.lists(readings, max_size=60))
def test_all_readings_come_back_each_at_a_time_of_its_own(items: list[Reading]) -> None:
    items.sort(key=lambda reading: reading.time_ms)
    framer = Framer()
    closed = bodies(items, framer)
    closed += [body for body in [framer.close()] if body]
    found = read_back(closed)
    assert sum(rows for _, rows in closed) == len(items) == len(found)
    instants = [(r.device, r.kind, r.names, r.time_ms) for r in found]
    assert len(set(instants)) == len(instants)

    def without_time(r: Reading) -> tuple[object, ...]:
        return (r.device, r.names, tuple(sorted(r.values.items())), r.boot, r.uptime_ms, r.flags, r.resolution)

    assert sorted(map(repr, map(without_time, found))) == sorted(map(repr, map(without_time, items)))


def test_a_thousand_samples_in_one_tick_are_a_thousand_points() -> None:
    framer = Framer()
    items = [Reading("d", "heap", ("h",), NOW, {"free": number}) for number in range(1000)]
    closed = bodies(items, framer)
    found = read_back(closed + [body for body in [framer.close()] if body])
    assert len({r.time_ms for r in found}) == 1000
    assert [r.values["free"] for r in sorted(found, key=lambda r: r.time_ms)] == list(range(1000))


def test_a_body_closes_in_time() -> None:
    framer = Framer()
    texts = [Reading("d", "log", (), NOW + n, {"text": "\U0001f600" * 1024}) for n in range(100)]
    closed = bodies(texts, framer)
    assert closed
    assert all(len(body) + HEADER_BYTES <= MAX_FRAME for body, _ in closed)
    numbers = [Reading("d", "heap", ("h",), NOW + n, {"free": n}) for n in range(1200)]
    assert max(rows for _, rows in bodies(numbers, Framer())) == CLOSE_ROWS


def test_what_the_wire_cannot_carry_is_made_to_fit_or_left_to_quarantine() -> None:
    framer = Framer()
    framer.add(Reading("d", "log", (), NOW, {"text": "a\x00b\x1b[31m" + "x" * 5000}))
    framer.add(Reading("d", "heap", ("h\n\x07" + "n" * 500,), NOW, {"free": 2**80}))
    closed = framer.close()
    assert closed is not None
    good, bad = decode_each(closed[0])
    assert len(good) == 1
    assert [error.reason for _, error in bad] == ["row"]


def test_a_description_keeps_its_place_in_the_stream() -> None:
    framer = Framer()
    for boot in (1, 2):
        framer.add(About("d", boot, {"platform": "zephyr"}))
        framer.add(Reading("d", "heap", ("h",), NOW + boot, {"free": 1}, boot))
    closed = framer.close()
    assert closed is not None
    assert [type(block).__name__ for block in decode_body(closed[0])] == ["About", "Rows", "About", "Rows"]
    assert framer.close() is None
