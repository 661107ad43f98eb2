"""Boots of two firmware versions made comparable: the same things, on the same boards, at the same uptimes. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from collector.judge.comparing import Pair, Thing, Values
from collector.judge.reasons import size
from collector.series.boots import Boot

_ANOTHER_MIX, _NO_CHANCE = 0.1, 1.645
"""The part of the devices by which the boards of two versions may differ and yet be compared together; and by how many
deviations they differ more than by chance, one time in twenty. What differs by chance the test over devices allows for.
"""
_ANOTHER_SIZE = 1.5
"""By how much larger the next heap is that is one of another board."""
_COVERED = 0.5
"""The part of the uptimes in question for which a device must have been seen; and the part of the shorter of two that
both must have in common for these to be compared by them."""
_LEAST_DEVICES = 4
"""So many devices of each version are not given up for equal uptimes: fewer tell nothing."""
_LEAST_SAME, _MOST_OF = 12, 0.8
"""Each device is compared with itself where so many ran both versions (all twelve rise by chance one time in 4,096:
rare enough for a hundred measures), and this part of those that ran the rarer one: devices differ from each other by
more than most versions do."""
_LATER = 1.5
"""By how much later one was seen than the other that is no chance."""

Side = Sequence[Boot]


class _Sort(NamedTuple):
    """What a device is, as far as that decides how much memory it uses: its board, and the size of the thing."""

    board: str
    size: str


def pairs_of(before: Iterable[Boot], after: Iterable[Boot], boards: Mapping[str, str]) -> Iterator[Pair]:
    """All things of two versions; `boards` by device. What only one of them has is told where half of its devices have
    it: a task that some run for a while is no news."""
    one, other = _by_thing(before), _by_thing(after)
    _tell_alike(one, other)
    devices = [len({boot.device for boots in side.values() for boot in boots}) for side in (one, other)]
    for thing in sorted(one.keys() | other.keys()):
        sides = one.get(thing, []), other.get(thing, [])
        if all(sides):
            for sort, alike in _sorts(_of_same_devices(sides), boards):
                yield _pair(thing._replace(of=sort), alike)
        elif any(2 * len(_devices(side)) >= most > 0 for side, most in zip(sides, devices, strict=True)):
            of_one, of_other = (_measures(_longest(side).values()) for side in sides)
            yield Pair(thing, of_one, of_other)


def same_uptimes(one: Side, other: Side) -> tuple[float, float] | None:
    """From which to which uptime, ms, the boots of both sides were seen, in the median; None where that is too little
    of either."""
    (first, last), (other_first, other_last) = (_seen(side) for side in (one, other))
    begin, end = max(first, other_first), min(last, other_last)
    return (begin, end) if end - begin >= _COVERED * min(last - first, other_last - other_first) else None


def _seen(side: Side) -> tuple[float, float]:
    ages = np.array([(boot.ages[0], boot.ages[-1]) for boot in side if len(boot.ages)] or [(0.0, 0.0)])
    first, last = np.median(ages, axis=0)
    return float(first), float(last)


def _by_thing(boots: Iterable[Boot]) -> dict[Thing, list[Boot]]:
    found: dict[Thing, list[Boot]] = {}
    for boot in boots:
        if boot.is_enough:
            found.setdefault(Thing(boot.kind, boot.names, is_free=boot.is_free), []).append(boot)
    return found


def _tell_alike(one: dict[Thing, list[Boot]], other: dict[Thing, list[Boot]]) -> None:
    """Where some boots tell only what is left of a thing, that is compared of all whose size is known."""
    for thing in [thing for thing in one.keys() | other.keys() if thing.is_free]:
        for side in (one, other):
            sized = [boot for boot in side.pop(thing._replace(is_free=False), []) if boot.size is not None]
            if sized:
                side.setdefault(thing, []).extend(boot.as_free() for boot in sized)


def _of_same_devices(sides: tuple[Side, Side]) -> tuple[Side, Side]:
    """Only of those devices that ran both versions, where they are most."""
    same = _same(*map(_devices, sides))
    if not same:
        return sides
    one, other = ([boot for boot in side if boot.device in same] for side in sides)
    return one, other


def _same(one: Collection[str], other: Collection[str]) -> list[str]:
    """What both have, where that is most of the fewer; else nothing."""
    same = sorted({*one} & {*other})
    return same if len(same) >= max(_LEAST_SAME, _MOST_OF * min(len(one), len(other))) else []


def _sorts(sides: tuple[Side, Side], boards: Mapping[str, str]) -> Iterator[tuple[str, tuple[Side, Side]]]:
    """The boots of all devices, or of each sort of them where the two versions ran on other ones."""
    sizes = _size_classes([boot.size for side in sides for boot in side if boot.size is not None])
    sorts = [
        {boot.device: _Sort(boards.get(boot.device, ""), sizes.get(boot.size, "")) for boot in side} for side in sides
    ]
    if _mixes_differ(*(Counter(of_device.values()) for of_device in sorts)):
        for sort in sorted(set(sorts[0].values()) & set(sorts[1].values())):
            chosen = [[b for b in side if of[b.device] == sort] for side, of in zip(sides, sorts, strict=True)]
            yield ", ".join(part for part in sort if part), (chosen[0], chosen[1])
    else:
        yield "", sides


def _size_classes(sizes: Sequence[int]) -> dict[int | None, str]:
    """Each size with what its class is called; one class has no name."""
    classes: list[list[int]] = []
    for one in sorted(set(sizes)):
        if classes and one <= _ANOTHER_SIZE * classes[-1][-1]:
            classes[-1].append(one)
        else:
            classes.append([one])
    if len(classes) < 2:
        return {}
    return {one: size(alike[0]) for alike in classes for one in alike}


def _mixes_differ(one: Counter[_Sort], other: Counter[_Sort]) -> bool:
    """Whether these are other mixes by more than chance: Pearson's chi-squared, its quantile as Wilson and Hilferty
    (1931) have it."""
    mixes = np.array([[mix[sort] for sort in sorted({*one, *other})] for mix in (one, other)], dtype=float)
    of_sides = mixes.sum(axis=1, keepdims=True)
    apart = np.abs(np.diff(mixes / of_sides, axis=0)).sum() / 2
    freedom = mixes.shape[1] - 1
    if apart <= _ANOTHER_MIX or not freedom:
        return False
    expected = of_sides * mixes.sum(axis=0) / mixes.sum()
    squares = float(((mixes - expected) ** 2 / expected).sum())
    spread = 2 / (9 * freedom)
    return bool(math.cbrt(squares / freedom) > 1 - spread + _NO_CHANCE * math.sqrt(spread))


def _pair(thing: Thing, sides: tuple[Side, Side]) -> Pair:
    """By the uptimes that both were seen at, if that leaves enough devices; else by each device's longest boot."""
    longest = [_longest(side) for side in sides]
    enough = [min(_LEAST_DEVICES, len(of_device)) for of_device in longest]
    uptimes = same_uptimes(*(list(of_device.values()) for of_device in longest))
    if uptimes is not None:
        begin, end = uptimes
        cut = [[boot.between(begin, end) for boot in side] for side in sides]
        least = _COVERED * (end - begin)
        one, other = (_longest([b for b in side if b.is_enough and np.ptp(b.ages) >= least]) for side in cut)
        if len(one) >= enough[0] and len(other) >= enough[1]:
            return _paired(thing, one, other)
    earlier, later = (sum(_seen(list(of_device.values()))) for of_device in longest)
    return _paired(thing, longest[0], longest[1], (later > _LATER * earlier) - (earlier > _LATER * later))


def _paired(thing: Thing, one: Mapping[str, Boot], other: Mapping[str, Boot], older: int = 0) -> Pair:
    """Each device with itself, where most are the same."""
    same = _same(one.keys(), other.keys())
    sides = [[of[device] for device in same or of] for of in (one, other)]
    return Pair(thing, _measures(sides[0]), _measures(sides[1]), older, bool(same))


def _longest(side: Side) -> dict[str, Boot]:
    """Each device's boot that most is known of stands for the device."""
    found: dict[str, Boot] = {}
    for boot in side:
        if boot.device not in found or len(boot.used) > len(found[boot.device].used):
            found[boot.device] = boot
    return found


def _measures(boots: Iterable[Boot]) -> list[Values]:
    return [boot.measures() for boot in boots if boot.is_enough]


def _devices(side: Side) -> set[str]:
    return {boot.device for boot in side}
