"""Memory that never falls: a leak is told once one percent is gone, or after half an hour; what slows down is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import History
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.look import ground_of, look
from collector.judge.detectors.marks import LAST
from collector.judge.detectors.quiet import find_quiet_leaks
from collector.judge.detectors.tell import QUIET
from collector.judge.detectors.trace import TRACED, trace_of
from collector.judge.explaining import explain_quiet
from collector.judge.series import Rows, Table
from tests.collector.judge.stream import LEAK_RULE, Bench, rows

SIZE, BASE = 262_144.0, 100_000.0
START_MS = 1_790_000_000_000
LATE_H = 5 / 60
Shape = Callable[[np.ndarray], np.ndarray]


def leak(percent: float, block: float = 16, begins: float = 0) -> Shape:
    """So many percent of all memory an hour, in whole blocks, from that hour of the boot on."""
    return lambda hours: np.floor(percent / 100 * SIZE * np.maximum(0, hours - begins) / block) * block


def cache(part: float, fills: float) -> Shape:
    """So much of the free memory by and by; two thirds of it within these hours."""
    return lambda hours: np.floor(part * (SIZE - BASE) * (1 - np.exp(-hours / fills)) / 16) * 16


def both(one: Shape, other: Shape) -> Shape:
    return lambda hours: one(hours) + other(hours)


class Desk:
    """Boards that are watched from their boot on, a row each; after each 80 seconds somebody looks."""

    def __init__(self, shapes: list[Shape], kind: str = "heap", period_s: float = 10) -> None:
        self.table, self.history, self.shapes = Table(kind), History(2), shapes
        self.rows = np.arange(len(shapes))
        self.history.make_room(len(shapes))
        for row in self.rows.tolist():
            self.table.add(f"board-{row}", ("main",))
            self.table.set(row, "size", SIZE)
            self.table.set(row, "max_used" if kind == "stack" else "used", BASE)
        self.born_hours = np.zeros(len(shapes))
        self._period_s, self._heard = period_s, 0

    def hear(self, hours: float) -> Iterator[tuple[float, tuple[Rows, Rows]]]:
        """Up to that hour of the boot; the hour of each look, and what was closed: rows and levels."""
        while self._heard < hours * 3600:
            at = np.arange(self._heard, self._heard + 80, self._period_s)
            self._heard += 80
            used = np.stack([BASE + shape(at / 3600) for shape in self.shapes], axis=1).reshape(-1, 1)
            rows, times = np.tile(self.rows, len(at)), np.repeat(at * 1000, len(self.rows))
            layers = np.repeat(used, 2, axis=1)
            uptimes = times - np.tile(self.born_hours, len(at)) * 3_600_000
            yield at[-1] / 3600, self.history.add(rows, START_MS + times.astype(np.int64), layers, uptimes)

    def told(self, hours: float, every: int = 1) -> np.ndarray:
        """When each was told, in hours of its boot; NaN of those that were not, up to then. Seen at `every` look."""
        found = np.full(len(self.rows), np.nan)
        for number, (now, _) in enumerate(self.hear(hours)):
            if number % every == 0:
                found[np.isnan(found) & np.isfinite(self.leaks(self.rows).rate)] = now
        return found

    def leaks(self, rows: np.ndarray) -> Leaks:
        return find_quiet_leaks(trace_of(self.history, rows), self.ground(rows))

    def ground(self, rows: np.ndarray) -> Ground:
        return ground_of(self.table, self.history, np.full(len(rows), TRACED), rows)


@pytest.mark.parametrize("period_s", [10, 30])
def test_a_leak_is_told_once_it_took_one_percent_and_half_an_hour(period_s: float) -> None:
    due = {
        leak(20): 0.5, leak(3): 0.5, leak(1): 1.0, leak(0.5): 2.0, leak(5, 256): 0.5, leak(5, begins=2): 2.5,
        leak(1, begins=2): 3.0, both(leak(5, begins=2), cache(0.2, 0.1)): 2.5,
    }  # fmt: skip
    late = Desk(list(due), period_s=period_s).told(3.2) - np.array(list(due.values()))
    assert (late >= -80 / 3600).all(), late  # a look comes no more often
    assert (late <= LATE_H).all(), late


def test_sixty_samples_are_asked_where_they_stand_far_apart() -> None:
    apart_s = 40  # two in 80 seconds
    (told,) = Desk([leak(20)], period_s=apart_s).told(2)
    assert 0 <= told + 80 / 3600 - 60 * apart_s / 3600 < LATE_H
    hour: Shape = lambda hours: leak(20)(np.minimum(hours, 0.6))  # noqa: E731
    assert np.isnan(Desk([hour], period_s=apart_s).told(2)).all()


def test_in_the_field_what_comes_at_random_is_no_leak_though_it_was_never_seen_to_fall() -> None:
    def kept(seed: int) -> Shape:
        """Lines, entries and things made when they are first needed: 20 an hour."""
        random = np.random.default_rng(seed)
        at, sizes = np.sort(random.uniform(0, 8, 160)), np.append(0, random.uniform(60, 500, 160).cumsum())
        return lambda hours: np.floor(sizes[np.searchsorted(at, hours)] / 4) * 4

    randomly: list[Shape] = [kept(seed) for seed in range(40)]
    told = Desk([*randomly, leak(2), leak(5, 64)], period_s=60).told(3)
    assert np.isfinite(told[:40]).sum() <= 2, "by chance any growth is even once"
    assert (told[40:] < 1 + LATE_H).all(), "as even as clockwork"


def test_no_more_is_said_to_have_grown_than_is_used() -> None:
    nothing_before: Shape = lambda hours: np.full(len(hours), -BASE)  # noqa: E731
    desk = Desk([both(leak(percent, 256), nothing_before) for percent in (3, 5, 8, 20)])
    for _ in desk.hear(1):
        assert not (desk.leaks(desk.rows).grown > desk.history.mark(desk.rows, LAST)).any()
    assert np.isfinite(desk.leaks(desk.rows).rate).all()


def test_what_programs_take_while_they_start_is_not_measured() -> None:
    (told,) = Desk([both(leak(5), cache(0.1, 0.02))]).told(2)
    assert told < 0.5 + 10 / 60 + LATE_H


def test_a_start_that_takes_half_an_hour_is_not_measured() -> None:
    (told,) = Desk(
        [both(leak(2), lambda hours: np.floor(0.03 * SIZE * np.minimum(1, hours / 0.45)))], period_s=30
    ).told(1.3)
    assert told < 1.0 + LATE_H


def test_few_rises_are_told_where_they_are_even() -> None:
    uneven = [0.5, 1.1, 1.3, 2.0, 2.4]
    shapes: list[Shape] = [
        lambda hours: 1_500 * np.floor(2 * hours),
        lambda hours: 1_500 * np.searchsorted(uneven, hours),
    ]
    of_even, of_uneven = Desk(shapes, period_s=60).told(2.6)
    assert 2 <= of_even < 2 + LATE_H  # at the fourth rise
    assert np.isnan(of_uneven)


def test_what_is_hardly_larger_than_a_fall_before_may_be_its_next_tooth() -> None:
    falls: Shape = lambda hours: np.select([hours < 2, hours < 2.2], [20_000.0, 0.0], 30_000.0)  # noqa: E731
    (told,) = Desk([both(falls, leak(5, begins=2.7))]).told(6)
    assert (told - 2.7) * 0.05 * SIZE == pytest.approx(1.5 * 20_000, rel=0.05)


def test_growth_that_cannot_have_gone_on_since_the_boot_is_a_tooth() -> None:
    """Nobody heard the boot, and at this pace all that was used then had been taken within seven hours."""
    first_heard = Desk([leak(5), leak(5)], period_s=30)
    for born_hours, row in ((-3, 0), (-10, 1)):
        first_heard.born_hours[row] = born_hours
    told = first_heard.told(2)
    assert told[0] < 0.5 + LATE_H
    assert np.isnan(told[1])


def test_where_only_what_is_free_is_told_nobody_knows_how_much_was_used_at_first() -> None:
    bench = Bench(LEAK_RULE)
    for minutes in range(100):
        at_s = {"soon": 3 * 3600 + minutes * 60, "late": 40 * 3600 + minutes * 60}
        for device, up_s in at_s.items():
            free = {"free": 160_000 - 300 * minutes}
            bench.second(rows(device, "heap", ("main",), bench.now_ms + 900, free, uptime_ms=up_s * 1000), seconds=30)
    assert {finding.device for finding in bench.findings} == {"soon"}  # late: it would have taken four times as much


def test_growth_that_takes_more_than_six_hours_for_one_percent_is_told_by_others() -> None:
    slow, fast = Desk([leak(0.14), leak(0.2)], period_s=60).told(8)
    assert np.isnan(slow)
    assert fast < 5 + 2 * LATE_H


def test_what_slows_down_stops_or_falls_is_left_alone() -> None:
    shapes: list[Shape] = [
        cache(0.1, 0.2),
        cache(0.5, 1),
        cache(0.5, 3),
        lambda hours: 500 * np.minimum(10, np.floor(hours * 60)),
        lambda hours: np.floor(3_000 * (hours % 0.4)),
        lambda hours: 4_000 * np.searchsorted([0.6, 1.7, 2.1, 3.8, 4.3], hours),
        lambda hours: np.floor(26_000 * np.clip((hours - 3) / 0.04, 0, 1)),  # a ramp of minutes after quiet hours
    ]
    assert np.isnan(Desk(shapes).told(6)).all()


def test_the_next_tooth_is_left_alone_and_a_leak_above_the_highest_is_told() -> None:
    def second_tooth(hours: np.ndarray) -> np.ndarray:
        return np.where(hours < 0.2, 8_000.0, np.floor(6_000 * (hours - 0.2)))

    (told,) = Desk([second_tooth]).told(2.5)
    assert told > 0.2 + 8 / 6


def flicker(size: float, minutes: float = 1, often: float = 4) -> Shape:
    """So many bytes that come and go, for so long each time, so often an hour."""
    return lambda hours: size * ((hours * often) % 1 < minutes / 60 * often)


def test_what_comes_and_goes_within_minutes_hides_no_leak() -> None:
    shapes = [both(leak(1), flicker(700)), both(leak(3), flicker(300, often=20)), both(leak(4), flicker(1500, 1, 10))]
    told = Desk(shapes).told(2.2)
    assert (told > 1.5 - LATE_H).all(), told
    assert (told < 2.1).all(), told


def test_at_work_what_begins_within_the_first_day_may_be_a_morning() -> None:
    in_the_morning, a_day_later = (both(leak(1, begins=begins), flicker(700)) for begins in (6, 26))
    told = Desk([in_the_morning, a_day_later], period_s=40).told(31, every=5)
    assert np.isnan(told[0])
    assert 26 + 1.5 - LATE_H < told[1] < 26 + 3.5


def test_at_work_in_the_field_what_begins_with_the_boot_may_be_a_first_tooth_or_a_cache() -> None:
    from_the_boot: Shape = both(leak(1), flicker(700))
    assert np.isnan(Desk([from_the_boot], period_s=40).told(8)).all()
    assert Desk([from_the_boot]).told(2.2)[0] < 2.1


def test_that_a_cache_slows_down_may_be_hidden_by_chance() -> None:
    def filled(seed: int) -> Shape:
        """What is asked for comes at random, and is there already ever more often: 300 entries of 200 bytes."""
        at = np.sort(np.random.default_rng(seed).exponential(8, 300))
        return lambda hours: 200.0 * np.searchsorted(at, hours)

    told = Desk([both(filled(seed), flicker(400)) for seed in range(30)]).told(5)
    assert np.isfinite(told).sum() <= 3


def test_more_is_asked_of_a_board_at_work() -> None:
    soon_full = both(leak(12), flicker(700))
    large = both(leak(1), flicker(4000))
    long = both(leak(1), flicker(700, minutes=8))
    bends = both(cache(0.4, 5), flicker(700))
    assert np.isnan(Desk([soon_full, large, long, bends]).told(2.2)).all()


def test_the_tooth_before_is_remembered_as_high_as_it_was() -> None:
    """The bucket in which a tooth ends holds its next foot: the last fall is larger than buckets tell."""

    def teeth(grows: float) -> Shape:
        return lambda hours: SIZE * np.where(hours < 0.45, 0.04 * hours / 0.45, grows * (hours - 0.45))

    desk = Desk([teeth(0.057), teeth(0.07)])
    assert (np.isfinite(desk.told(1.44)) == [False, True]).all()


def test_where_samples_are_seldom_it_says_nothing() -> None:
    assert np.isnan(Desk([leak(2), leak(20)], period_s=80).told(3)).all()


def test_a_counter_that_cannot_fall_is_not_looked_at() -> None:
    told = {}
    for kind in ("heap", "stack"):
        desk = Desk([leak(5)], kind, period_s=60)
        for _, closed in desk.hear(1):
            look(desk.table, desk.history, *closed)
        told[kind] = desk.table.get(0, "leak_level")
    assert told["heap"] == QUIET
    assert np.isnan(told["stack"])


def test_it_stays_told_while_it_goes_on_and_is_taken_back_where_it_stops() -> None:
    desk = Desk([leak(5), lambda hours: leak(5)(np.minimum(hours, 1.5))], period_s=60)
    stopped = {}
    for now, closed in desk.hear(3):
        look(desk.table, desk.history, *closed)
        stopped[round(now, 1)] = bool(np.isnan(desk.table.get(1, "leak_rate")))
    assert desk.table.get(0, "leak_rate") == pytest.approx(0.05 * SIZE, rel=0.01)
    assert desk.table.get(0, "leak_hours_left") == pytest.approx((SIZE - BASE) / (0.05 * SIZE) - 3, rel=0.02)
    assert (stopped[1.0], stopped[1.7], stopped[2.8]) == (False, False, True)


def test_it_is_explained_as_it_is_told() -> None:
    chance, counts = np.random.default_rng(5), {True: 0, False: 0}
    shapes = [
        both(leak(percent, 64, begins), cache(part, 0.5))
        for percent, begins, part in chance.uniform(0, (4, 1, 0.1), (40, 3))
    ]
    desk = Desk(shapes)
    for _ in desk.hear(1.7):
        pass
    for row in desk.rows[:, None]:
        told = bool(np.isfinite(desk.leaks(row).rate[0]))
        trace, ground = trace_of(desk.history, row), desk.ground(row)
        assert told == any(why.told for why in explain_quiet(trace, ground))
        counts[told] += 1
    assert min(counts.values()) > 5


def test_what_a_session_has_just_taken_is_no_growth_until_it_stands() -> None:
    session: Shape = lambda hours: np.where(hours >= 1, 2_000, 0)  # noqa: E731
    desk = Desk([both(leak(0.9, 64), session)])
    assert np.isnan(desk.told(1.02)).all()
    assert np.isfinite(desk.told(1.1)).all()
