"""A store tried in earnest: write a small marked fleet, ask every query of every panel for it, remove it again.

Its measurements have a prefix of their own that nothing else has, so it can neither hide in a fleet nor take anything
along when it goes.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator

import httpx
import msgspec

from collector.config import StoreConfig
from collector.stores.process import open_store
from memfleet.doctor.finding import Found
from memfleet.doctor.queries import Asking, panel_queries
from memfleet.grafana.sample import HOUR_MS, lines
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault, MemfleetError

_AGO_MS = HOUR_MS + 120_000
"""The marked hour is over: VictoriaMetrics does not show what is younger than 30 s."""
_PATIENCE_S = 20.0
"""In which what was written has to show."""


def check_deep(store: StoreConfig, now_ms: Callable[[], int] = wall_ms) -> list[Found]:
    """One line on the queries, and one on what was left behind if anything was."""
    mark = uuid.uuid4().hex[:8]
    store = msgspec.structs.replace(store, prefix=f"{store.prefix}doctor_{mark}_")
    fleet, start_ms = f"doctor-{mark}", now_ms() - _AGO_MS
    what = f"store {store.name}, deep"
    try:
        with contextlib.closing(Asking(store, start_ms, fleet)) as asking:
            try:
                _write(store, lines(start_ms, fleet, store.prefix, numbers_only=store.kind == "victoriametrics"))
                found = [_judged(what, dict(_unanswered(asking, store)))]
            finally:
                left = _remove(store, asking)
    except MemfleetError as error:
        return [Found(what, "wrong", str(error), "may its token write, read and delete there?")]
    return [*found, *left]


def _write(store: StoreConfig, written: list[str]) -> None:
    with contextlib.closing(open_store(store)) as opened:
        outcome = opened.write(written)
    if not outcome.settled or outcome.rejected:
        reason = outcome.hold or outcome.reason or f"{outcome.rejected[0][1]}"
        raise EnvironmentFault(f"{store.url} does not take readings: {reason}", retry=False)


def _unanswered(asking: Asking, store: StoreConfig) -> Iterator[tuple[str, str]]:
    """Panels without rows, and why. What has just been written may take a moment to show."""
    deadline = time.monotonic() + _PATIENCE_S
    for title, query in panel_queries(store.kind, store.prefix):
        try:
            while not asking.found(query) and time.monotonic() < deadline:
                time.sleep(0.2)
            if not asking.found(query):
                yield title, "no rows"
        except EnvironmentFault as fault:
            yield title, str(fault)


def _judged(what: str, unanswered: dict[str, str]) -> Found:
    if not unanswered:
        return Found(what, "ok", "every query of every panel returns rows of a marked fleet")
    title, reason = next(iter(unanswered.items()))
    sentence = f"{len(unanswered)} panels stay empty, {title!r} for one: {reason}"
    return Found(what, "wrong", sentence, "on InfluxDB 2, is the bucket mapped? memfleet grafana apply sees to that")


def _remove(store: StoreConfig, asking: Asking) -> list[Found]:
    """Take everything of our prefix away; what could not be taken is named, with what to do."""
    measurements = sorted({line.split(",", 1)[0] for line in lines(0, "f", store.prefix)})
    try:
        refused = [answer for answer in _removals(store, asking.http, measurements) if not answer.is_success]
    except httpx.HTTPError as error:
        sentence = f"{store.url} was not cleaned up: {error}"
        return [Found(f"store {store.name}, marked fleet", "doubtful", sentence, f"remove {store.prefix}*")]
    if not refused:
        return []
    sentence = f"{store.url} does not let us remove the marked fleet: {refused[0].status_code} {refused[0].text[:200]}"
    return [Found(f"store {store.name}, marked fleet", "doubtful", sentence, f"remove {store.prefix}* by hand")]


def _removals(store: StoreConfig, http: httpx.Client, measurements: list[str]) -> Iterator[httpx.Response]:
    if store.kind == "victoriametrics":
        yield http.get("/api/v1/admin/tsdb/delete_series", params={"match[]": f'{{__name__=~"{store.prefix}.*"}}'})
        return
    for name in measurements:
        if store.api == 1:
            yield http.post("/query", params={"db": store.database}, data={"q": f'DROP MEASUREMENT "{name}"'})
        elif store.api == 2:
            span = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
            body = {**span, "predicate": f'_measurement="{name}"'}
            yield http.post("/api/v2/delete", params={"org": store.org, "bucket": store.bucket}, json=body)
        else:
            yield http.delete("/api/v3/configure/table", params={"db": store.database, "table": name})
