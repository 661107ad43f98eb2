"""GET /compare and /compare/boots: one firmware against another, over devices; one board's boots against each other."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Response

from collector.judge.comparing import Thing, Values, compare, interval_between
from collector.series.boots import Boot, boots_of, firmware_of_boots
from collector.series.reader import open_reader
from collector.web.services import Services

_BLOCKS = 12
_DAY_MS = 86_400_000


class Span:
    """From `start` to `end`, wall ms; by default the last 14 days."""

    def __init__(self, start: int | None = None, end: int | None = None) -> None:
        self._start, self._end = start, end

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends."""
        end = now_ms if self._end is None else self._end
        return end - 14 * _DAY_MS if self._start is None else self._start, end


def add_compare(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/compare")
    def versions(before: str, after: str, span: Annotated[Span, Depends()]) -> Response:
        """Level, peak and growth of each thing: `after` against `before`, each device once."""
        with closing(open_reader(services.series.path)) as db:
            firmware = firmware_of_boots(db)
            boots = list(boots_of(db, [*firmware], span.resolve(services.now_ms())))
        sides = [_by_thing(boots, firmware, version) for version in (before, after)]
        for version, side in zip((before, after), sides, strict=True):
            if not side:
                known = sorted({text for boots_ in firmware.values() for text in boots_.values() if text})
                raise HTTPException(404, f"no readings of firmware {version[:80]!r}; there are {', '.join(known[:20])}")
        return _json({"differences": [_flat(one) for one in compare(*sides)]})

    @api.get("/compare/boots")
    def boots(device: str, boot: Annotated[list[int], Query()], span: Annotated[Span, Depends()]) -> Response:
        """Two boots of one device: medians, and an interval of the difference as far as one board can give one."""
        if len(boot) != 2:
            raise HTTPException(400, f"boot: two are compared, {len(boot)} given")
        with closing(open_reader(services.series.path)) as db:
            found = list(boots_of(db, [device], span.resolve(services.now_ms())))
        if not {one.boot for one in found} >= set(boot):
            known = sorted({one.boot for one in found})
            raise HTTPException(
                404, f"no readings of boot {boot[0]} and {boot[1]} of {device[:80]!r}; there are {known}"
            )
        return _json({"differences": _between_boots(found, boot[0], boot[1])})


def _by_thing(boots: list[Boot], firmware: dict[str, dict[int, str]], version: str) -> dict[Thing, list[Values]]:
    """Each device's longest boot with that firmware stands for the device."""
    longest: dict[tuple[str, Thing], Boot] = {}
    for boot in boots:
        if firmware.get(boot.device, {}).get(boot.boot) == version:
            place = (boot.device, Thing(boot.kind, boot.names))
            if place not in longest or len(boot.used) > len(longest[place].used):
                longest[place] = boot
    found: dict[Thing, list[Values]] = {}
    for (_, thing), boot in longest.items():
        if measures := boot.measures():
            found.setdefault(thing, []).append(measures)
    return found


def _between_boots(found: list[Boot], before: int, after: int) -> list[dict[str, Any]]:
    by_thing: dict[Thing, dict[int, Boot]] = {}
    for boot in found:
        by_thing.setdefault(Thing(boot.kind, boot.names), {})[boot.boot] = boot
    rows = []
    for thing, boots in sorted(by_thing.items()):
        one, other = boots.get(before), boots.get(after)
        if one is None or other is None or not (one.measures() and other.measures()):
            continue
        low, high = interval_between(one.used.tolist(), other.used.tolist(), _BLOCKS)
        verdict = "same" if low <= 0 <= high else "worse" if low > 0 else "better"
        rows.append(
            {"kind": thing.kind, "names": thing.names, "before": one.measures(), "after": other.measures(),
             "low": low, "high": high, "verdict": verdict}
        )  # fmt: skip
    return rows


def _flat(difference: Any) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(difference)
    kind, names = built.pop("thing")
    return {"kind": kind, "names": names, **built}


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
