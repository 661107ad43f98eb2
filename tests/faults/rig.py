"""The whole path under test: agents, broker, the parts of a collector, two stores, with bad networks between them.

oracle -> agents -> proxy -> mosquitto -> proxy -> intake -> journal -> series, judge
                                                          -> front -> InfluxDB,  proxy -> VictoriaMetrics
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.child import Child, SourceChild
from tests.faults.front import Front, front
from tests.faults.ledgers import counters, identity_violations
from tests.faults.numbered import KIND
from tests.faults.oracle import Found, Oracle
from tests.faults.proxy import Proxy, proxy
from tests.faults.source import FLEET
from tests.servers import HOST, InfluxDB, Mosquitto, Server, VictoriaMetrics, influxd, mosquitto, victoria_metrics
from tests.waiting import wait_until

START_BEFORE_MS = 2 * 3600 * 1000
"""Readings are of two hours ago, so that a clock that is an hour off finds them possible."""
FEED_S = 0.05
SETTLE_S = 12
REST_S = 20
PARTS = ("intake", "series", "judge", "store:influx", "store:victoria")


@dataclass
class Rig:
    """Everything that can be hurt, and the oracle that cannot."""

    folder: Path
    oracle: Oracle
    rate: int
    servers: dict[str, Server]
    proxies: dict[str, Proxy]
    front: Front
    children: dict[str, Child] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    feeding: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    giving: threading.Lock = field(default_factory=threading.Lock)
    looking: threading.Lock = field(default_factory=threading.Lock)
    """Held while the counters are read: SQLite makes files beside one that it reads, so whoever moves the folder holds
    it."""

    @property
    def data(self) -> Path:
        """The collector's folder."""
        return self.folder / "collector"

    def killable(self, name: str) -> Child | Server:
        """A process by name."""
        return self.children.get(name) or self.servers[name]

    def step_clock(self, milliseconds: int) -> None:
        """Set the collector's wall clock wrong by so much."""
        (self.folder / "clock").write_text(str(milliseconds))

    def heal(self) -> None:
        """End every fault: all runs, all networks pass, all clocks are right."""
        for one in self.proxies.values():
            one.mode = "pass"
        self.front.mood = "pass"
        self.step_clock(0)
        for server in self.servers.values():
            if not server.running:
                server.start()
            server.resume()
        for child in self.children.values():
            if not child.wanted:
                child.start()
            child.resume()

    # -- what the stores hold ------------------------------------------------------------------------------------------

    def found(self, where: str) -> dict[str, Found]:
        """The numbers in series, influx or victoria, by agent."""
        look = {"series": self._in_series, "influx": self._in_influx, "victoria": self._in_victoria}[where]
        return {agent: look(agent) for agent in self.oracle.agents}

    def has_all(self, where: str) -> bool:
        """Whether a store lacks nothing that was committed."""
        with contextlib.suppress(OSError, sqlite3.Error):
            return not self.oracle.judge(self.found(where)).missing
        return False

    def counters(self, file: str = "readings.journal") -> dict[str, int]:
        """Counters of one of the collector's files."""
        return counters(self.data / file)

    def _in_series(self, agent: str) -> Found:
        if not (self.data / "series.db").exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'series.db'}?mode=ro", uri=True, timeout=60)) as db:
            rows = db.execute(_SERIES, (agent, KIND)).fetchall()
        return {used: {"t": t, "size": size, "free": free, "used": used} for t, size, free, used in rows}

    def _in_influx(self, agent: str) -> Found:
        influx = self.servers["influx"]
        assert isinstance(influx, InfluxDB)
        query = f"SELECT size, free, used FROM memfleet_heap WHERE device = '{agent}'"
        rows = influx.query(query, database="memfleet")
        return {
            row["used"]: {name: row[name] for name in ("size", "free", "used")} | {"t": row["time"]} for row in rows
        }

    def _in_victoria(self, agent: str) -> Found:
        victoria = self.servers["victoria"]
        assert isinstance(victoria, VictoriaMetrics)
        rows: dict[int, dict[str, int]] = {}
        for series in victoria.export(f'{{__name__=~"memfleet_heap_(size|free|used)",device="{agent}"}}'):
            name = series["metric"]["__name__"].removeprefix("memfleet_heap_")
            for t, value in zip(series["timestamps"], series["values"], strict=True):
                rows.setdefault(t, {"t": t})[name] = int(value)
        return {row["used"]: row for row in rows.values() if "used" in row}

    # -- driving -------------------------------------------------------------------------------------------------------

    def feed(self) -> None:
        """Give numbers to the agents, start again what ended by itself, look at the counters; until it is over."""
        count = max(1, int(self.rate * FEED_S))
        next_look = 0.0
        while not self.over.wait(FEED_S):
            with self.giving:
                for agent in self.oracle.agents if self.feeding.is_set() else ():
                    if self.children[agent].pid:
                        self.give(agent, count)
            for child in self.children.values():
                child.tend()
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + 0.3
                self.look()

    def give(self, agent: str, count: int) -> range:
        """Issue the next numbers to an agent."""
        child = self.children[agent]
        assert isinstance(child, SourceChild)
        numbers = self.oracle.issue(agent, count)
        child.give(numbers)
        return numbers

    def rest(self) -> None:
        """Give no more numbers, and wait until all that an agent was given are committed or lost: it reads them in
        their order, so one more that it commits is behind them all."""
        with self.giving:
            self.feeding.clear()
        for agent in self.oracle.agents:
            rested = functools.partial(self._has_rested, agent)
            wait_until(rested, f"{agent} commits what it was given", self.children[agent].log)

    def _has_rested(self, agent: str) -> bool:
        """Whether an agent commits one more number soon; it may die with it, and gets another one next time."""
        (last,) = self.give(agent, 1)
        deadline = time.monotonic() + REST_S
        while last not in self.oracle.committed(agent) and time.monotonic() < deadline:
            time.sleep(0.05)
        return last in self.oracle.committed(agent)

    def look(self) -> None:
        """Hold the counters to the identity."""
        with self.looking:
            self.looks += 1
            self.violations += identity_violations(self.data)

    def probe(self, agent: str, limit_s: float) -> float:
        """Seconds from issuing a fresh number to its being in every store; `limit_s` when it is not by then."""
        began, fresh = time.monotonic(), self.give(agent, 1)
        while time.monotonic() - began < limit_s:
            if all(fresh[0] in self.found(where)[agent] for where in ("series", "influx", "victoria")):
                return time.monotonic() - began
            time.sleep(0.1)
        return limit_s


_SERIES = """
SELECT t, size, free, used FROM heap WHERE series IN (SELECT id FROM series WHERE device = ? AND kind = ?)
"""


def _configuration(folder: Path, broker: int, influx: int, victoria: int) -> Path:
    path = folder / "collector.toml"
    path.write_text(
        f'fleet = "{FLEET}"\ndata_dir = {json.dumps(str(folder / "collector"))}\n'
        f'[broker]\nurl = "mqtt://{HOST}:{broker}"\n'
        f'[[stores]]\nname = "influx"\nkind = "influxdb"\nurl = "http://{HOST}:{influx}"\n'
        f'[[stores]]\nname = "victoria"\nkind = "victoriametrics"\nurl = "http://{HOST}:{victoria}"\n'
        f"settle_s = {SETTLE_S}\n"
    )
    return path


@contextlib.contextmanager
def rig(folder: Path, *, agents: int = 2, rate: int = 60, build: str = "") -> Iterator[Rig]:
    """The rig, running and fed, until the block ends. `rate`: readings a second an agent. `build`: "" or "hasty"."""
    with contextlib.ExitStack() as stack:
        broker: Mosquitto = stack.enter_context(mosquitto(folder))
        influx: InfluxDB = stack.enter_context(influxd(folder))
        victoria: VictoriaMetrics = stack.enter_context(victoria_metrics(folder))
        names = {"agents": broker.port, "intake": broker.port, "victoria": victoria.port}
        proxies = {name: stack.enter_context(proxy(port)) for name, port in names.items()}
        before_influx = stack.enter_context(front(influx.port))
        oracle = Oracle([f"agent-{n + 1}" for n in range(agents)], int(time.time() * 1000) - START_BEFORE_MS)
        servers: dict[str, Server] = {"broker": broker, "influx": influx, "victoria": victoria}
        made = Rig(folder, oracle, rate, servers, proxies, before_influx)
        config = _configuration(folder, proxies["intake"].port, before_influx.port, proxies["victoria"].port)
        for part in PARTS:
            log = folder / f"{part.replace(':', '-')}.log"
            made.children[part] = Child(log, "tests.faults.part", [part, str(config), str(folder / "clock"), build])
        for agent in oracle.agents:
            made.children[agent] = _source(made, agent)
        stack.callback(lambda: [child.kill() for child in made.children.values()])
        for child in made.children.values():
            child.start()
        made.feeding.set()
        feeder = threading.Thread(target=made.feed, daemon=True)
        feeder.start()
        stack.callback(feeder.join, 10)
        stack.callback(made.over.set)
        yield made


def _source(made: Rig, agent: str) -> SourceChild:
    broker, start = f"mqtt://{HOST}:{made.proxies['agents'].port}", str(made.oracle.start_ms)
    return SourceChild(
        made.folder / f"{agent}.log",
        [broker, agent, str(made.folder / agent), start],
        lambda: made.oracle.began(agent),
        lambda word, number: made.oracle.heard(agent, word, number),
    )
