"""GET /compare and /compare/boots: one firmware against another, over devices; one board's boots against each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Response

from collector.judge.comparing import Thing, compare, interval_between, verdict_between
from collector.series.boots import Boot, boards_of_devices, boots_of, firmware_of_boots
from collector.series.firmware import firmwares
from collector.series.reader import open_reader
from collector.web import answers
from collector.web.alike import pairs_of, same_uptimes
from collector.web.answering import Fortnight, devices_asked, json_answer
from collector.web.services import Services

_MOST_NAMED = 20
_ENOUGH = "some samples of what is used or left of a heap, task or stack"


def add_compare(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/compare", response_model=answers.Differences)
    def compared(before: str, after: str, span: Annotated[Fortnight, Depends()]) -> Response:
        """Level, peak and growth of each thing: `after` against `before`, each device once."""
        with closing(open_reader(services.series.path)) as db:
            return json_answer({"differences": differences(db, before, after, span.resolve(services.now_ms()))})

    @api.get("/firmware", response_model=answers.Firmwares)
    async def versions() -> Response:
        """Firmware versions, the one that runs on most devices first."""
        return json_answer({"firmware": await services.series.ask(firmwares)})

    @api.get("/compare/boots", response_model=answers.BootDifferences)
    def boots(device: str, boot: Annotated[list[int], Query()], span: Annotated[Fortnight, Depends()]) -> Response:
        """Two boots of one device: medians, and an interval of the difference as far as one board can give one."""
        if len(boot) != 2:
            raise HTTPException(400, f"boot: two are compared, {len(boot)} given")
        with closing(open_reader(services.series.path)) as db:
            found = list(boots_of(db, devices_asked(db, [device]), span.resolve(services.now_ms())))
        known = {one.boot for one in found}
        if missing := sorted(set(boot) - known):
            which = f"boot {_listed(missing)} of {device[:80]!r}"
            others = f"; boot {_listed(sorted(known))} told enough" if known else ""
            what = f"told nothing, or too little, in that time to be compared: it takes {_ENOUGH}"
            raise HTTPException(404, f"{which} {what}{others}")
        return json_answer({"differences": _between_boots(found, boot[0], boot[1])})


def differences(db: sqlite3.Connection, before: str, after: str, span_ms: tuple[int, int]) -> list[dict[str, Any]]:
    """Level, peak and growth of each thing that both versions have, and what only one has; HTTPException (404) when one
    has no readings."""
    firmware = firmware_of_boots(db)
    boots = list(boots_of(db, [*firmware], span_ms))
    sides = [
        [boot for boot in boots if firmware.get(boot.device, {}).get(boot.boot) == version]
        for version in (before, after)
    ]
    for version, side in zip((before, after), sides, strict=True):
        if not any(boot.is_enough for boot in side):
            known = sorted({text for boots_ in firmware.values() for text in boots_.values() if text})
            if version in known:
                what = f"firmware {version[:80]!r} told too little in that time to be compared"
                raise HTTPException(404, f"{what}: it takes {_ENOUGH}")
            raise HTTPException(
                404, f"no readings of firmware {version[:80]!r} in that time; there are {_listed(known)}"
            )
    return [_flat(one) for one in compare(pairs_of(sides[0], sides[1], boards_of_devices(db)))]


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:_MOST_NAMED])) + (" ..." if len(names) > _MOST_NAMED else "") or "none"


def _between_boots(found: list[Boot], before: int, after: int) -> list[dict[str, Any]]:
    by_thing: dict[Thing, dict[int, Boot]] = {}
    for boot in found:
        by_thing.setdefault(Thing(boot.kind, boot.names, is_free=boot.is_free), {})[boot.boot] = boot
    rows = []
    for thing, boots in sorted(by_thing.items()):
        one, other = boots.get(before), boots.get(after)
        if one is None or other is None or not (one.is_enough and other.is_enough):
            continue
        one, other = _at_same_uptimes(one, other)
        measures = [one.measures(), other.measures()]
        low, high = interval_between(one.used.tolist(), other.used.tolist())
        verdict = verdict_between(measures[0]["level"], low, high)
        if thing.is_free:
            low, high = -high, -low
            measures = [
                {name: value if name == "growth" else -value for name, value in each.items()} for each in measures
            ]
        rows.append(
            {"kind": thing.kind, "names": thing.names, "is_free": thing.is_free, "before": measures[0],
             "after": measures[1], "low": low, "high": high, "verdict": verdict}
        )  # fmt: skip
    return rows


def _at_same_uptimes(one: Boot, other: Boot) -> tuple[Boot, Boot]:
    """As far as that leaves enough of both, else all of them."""
    uptimes = same_uptimes([one], [other])
    if uptimes is not None:
        cut = one.between(*uptimes), other.between(*uptimes)
        if all(boot.is_enough for boot in cut):
            return cut
    return one, other


def _flat(difference: Any) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(difference)
    kind, names, of, _ = built.pop("thing")
    return {"kind": kind, "names": names, "of": of, **built}
