"""Restarts: a reconnect, a wake from deep sleep and a count of milliseconds that starts again are none; a reboot is."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from agent.maps.life import SLACK_MS, WRAP_MS, Life
from agent.maps.report import Report

START = 1_790_000_000_000
SPANS = st.integers(1, 24 * 3600)  # seconds from message to message
DELAYS = st.integers(0, 8_000)  # milliseconds on the way


def report(time_ms: int, uptime_s: int | None = None, **more: object) -> Report:
    uptime = None if uptime_s is None else uptime_s * 1000
    return Report(system="x", family="x", alias="a", time_ms=time_ms, uptime_ms=uptime, **more)  # type: ignore[arg-type]


@given(st.integers(0, 10_000_000), st.lists(st.tuples(SPANS, DELAYS), min_size=1, max_size=20), st.integers(-200, 200))
def test_a_device_that_runs_is_never_said_to_have_restarted(
    uptime_s: int, steps: list[tuple[int, int]], drift_ppm: int
) -> None:
    """Whatever comes between two messages (connections, nothing at all), late messages and a clock that drifts."""
    life, now, true_ms = Life(), START, uptime_s * 1000.0
    assert life.observe(report(now, uptime_s)) == ""
    for span_s, delay_ms in steps:
        now += span_s * 1000
        true_ms += span_s * 1000 * (1 + drift_ppm / 1e6)
        assert life.observe(report(now + delay_ms, int(true_ms // 1000))) == ""


@given(st.integers(30, 10_000_000), SPANS, st.data())
def test_a_reboot_is_always_seen_by_the_uptime(before_s: int, span_s: int, data: st.DataObject) -> None:
    after_s = data.draw(st.integers(0, span_s), "uptime since the reboot, at most the time that has passed")
    life = Life()
    life.observe(report(START, before_s))
    assert life.observe(report(START + span_s * 1000, after_s)) == "boot"
    assert life.observe(report(START + span_s * 1000 + 60_000, after_s + 60)) == "", "once"


@given(st.integers(0, 40), SPANS)
def test_a_reboot_right_after_a_boot_is_seen_by_what_is_sent_after_a_boot(before_s: int, span_s: int) -> None:
    life = Life()
    life.observe(report(START, before_s))
    assert life.observe(report(START + span_s * 1000, booted=True, reset_class="software")) == "boot"
    assert life.observe(report(START + span_s * 1000 + 2_000, 9)) == "", "the first STATE belongs to that boot"


@given(st.integers(1, 2_000_000), st.integers(1, 86_400))
def test_a_count_of_milliseconds_that_starts_again_is_no_reboot(since_s: int, span_s: int) -> None:
    before_ms = WRAP_MS - min(since_s, span_s) * 1000 + 500  # it wraps before the next message
    life = Life()
    life.observe(report(START, before_ms // 1000, wraps=True))
    told_s = (before_ms + span_s * 1000) % WRAP_MS // 1000
    assume(before_ms + span_s * 1000 >= WRAP_MS)
    now = START + span_s * 1000
    assert life.observe(report(now, told_s, wraps=True)) == ""
    assert (life.uptime_at(now) or 0) >= WRAP_MS - 2000, "the uptime goes on counting"
    assert life.observe(report(now + 60_000, told_s + 60, wraps=True)) == ""


@given(st.integers(100_000, 4_000_000), st.integers(60, 86_400))
def test_a_reboot_of_such_a_device_is_one(before_s: int, span_s: int) -> None:
    assume(abs(before_s + span_s - WRAP_MS // 1000) > 200)
    life = Life()
    life.observe(report(START, before_s, wraps=True))
    assert life.observe(report(START + span_s * 1000, 20, wraps=True)) == "boot"


@given(st.lists(SPANS, min_size=1, max_size=10), st.booleans(), st.booleans())
def test_a_wake_from_deep_sleep_is_never_a_reboot(spans: list[int], tells_uptime: bool, counts: bool) -> None:
    life, now = Life(), START
    life.observe(report(now, 5, reset_class="deep_sleep", boots=7 if counts else None))
    for number, span_s in enumerate(spans, start=8):
        now += span_s * 1000
        boots = number if counts else None
        assert life.observe(report(now, booted=True, reset_class="deep_sleep", boots=boots)) == "wake"
        if tells_uptime:
            assert life.observe(report(now + 3_000, 3)) == ""


@given(SPANS)
def test_a_sleeper_that_loses_power_has_rebooted(span_s: int) -> None:
    life = Life()
    life.observe(report(START, booted=True, reset_class="deep_sleep"))
    assert life.observe(report(START + span_s * 1000, booted=True, reset_class="power_on")) == "boot"


def test_the_count_of_boots_tells_of_boots_that_nobody_heard_of() -> None:
    life = Life()
    life.observe(report(START, boots=11))
    assert life.observe(report(START + 1000, boots=11)) == ""
    assert life.observe(report(START + 2000, boots=13)) == "boot"
    assert life.observe(report(START + 3000, boots=1)) == "", "somebody set the count back"


def test_one_boot_that_is_told_in_three_ways_is_one() -> None:
    life = Life()
    life.observe(report(START, 5000, boots=11))
    now = START + 60_000
    assert life.observe(report(now, 12)) == "boot"
    assert life.observe(report(now + 1000, booted=True, reset_class="software")) == ""
    assert life.observe(report(now + 2000, 14, boots=12)) == ""


def test_a_crash_loop_is_counted_boot_by_boot() -> None:
    life = Life()
    life.observe(report(START, 5000))
    verdicts = [
        life.observe(report(START + 20_000 * n, booted=True, boots=100 + n, reset_class="panic")) for n in range(1, 6)
    ]
    assert verdicts == ["boot"] * 5
    assert life.observe(report(START + 100_500, booted=True, boots=105, reset_class="panic")) == "", "sent twice"


def test_what_was_known_before_our_own_restart_still_counts() -> None:
    saved = Life(uptime_ms=86_400_000, seen_ms=START, count=3, known=True)
    assert saved.observe(report(START + 3_600_000, 120)) == "boot"
    saved = Life(uptime_ms=86_400_000, seen_ms=START, count=3, known=True)
    assert saved.observe(report(START + 3_600_000, 86_400 + 3600)) == ""


def test_a_message_that_was_late_is_not_young() -> None:
    life = Life()
    life.observe(report(START, 5000))
    assert life.observe(report(START + 300_000, 5010)) == "", "ten seconds older, though five minutes have passed"
    assert SLACK_MS < 300_000
