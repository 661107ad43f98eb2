"""Who was heard when: the ground for judging silence. Pure; times are wall ms, and only ticks move time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from collector.judge.expression import Numbers
from collector.judge.series import Rows, RowSet, grown
from collector.records import ALL_AGENTS
from telemetry.readings import SILENT_AFTER, About

LIVE_MS = 120_000
"""A sample that arrives later than this after its own time is history: it never starts or ends a live alert."""

TICK_MS = 1_000
"""How far apart ticks stand in a collector."""

_OUTAGE_TICKS = 5
"""A longer gap between ticks means that we were not there."""


@dataclass(slots=True)
class Agent:
    """`arrived_ms`: the last arrival; `frontier_ms`: the newest sample it brought. Far apart: it drains a backlog.
    `spared_ms`: the last tick at which its devices could not be heard for its clock, 0 where there was none."""

    number: int
    arrived_ms: int = 0
    frontier_ms: int = 0
    spared_ms: int = 0


class Hearing:
    """Keeps the ear on agents (by name) and devices (by their row in the table of devices).

    `newest_ms` is each device's newest sample, never later than its arrival, `agent_of` the number of the agent that
    brought it, `own_ms` the silence that its description allows it, 0 if none; `live_ms` is for how long what was heard
    counts as news. `changed` are the agents that differ from what is on disk, `changed_devices` the rows.
    """

    def __init__(self, silent_after_ms: int, step_ms: int = TICK_MS) -> None:
        self._outage_ms = _OUTAGE_TICKS * step_ms
        self.live_ms = max(LIVE_MS, 2 * step_ms)
        self.silent_after_ms = silent_after_ms
        self._lag_ms = min(self.live_ms, max(2 * step_ms, silent_after_ms // 2))
        self.agents: dict[str, Agent] = {}
        self.newest_ms = np.zeros(0, dtype=np.int64)
        self.own_ms = np.zeros(0, dtype=np.int64)
        self.agent_of = np.zeros(0, dtype=np.int64)
        self.tick_ms = 0
        self.deaf_until_ms = 0
        self.changed: set[str] = set()
        self.changed_devices = RowSet()
        self._arrived_ms = 0
        self._names: list[str] = []
        self._agents: list[Agent] = []

    def restore_agent(self, name: str, agent: Agent) -> None:
        """Put back an agent that the state on disk holds; they come in the order of their numbers."""
        self.agents[name] = agent
        self._agents.append(agent)
        self._arrived_ms = max(self._arrived_ms, agent.arrived_ms)

    def make_room(self, row: int) -> None:
        """Have room for the device of that row."""
        if row >= len(self.newest_ms):
            capacity = max(64, 2 * row)
            self.newest_ms, self.agent_of = grown(self.newest_ms, capacity, 0), grown(self.agent_of, capacity, 0)
            self.own_ms = grown(self.own_ms, capacity, 0)

    def allow(self, row: int, about: About) -> None:
        """Take over how long the device may be silent by its own account: some speak more seldom than others."""
        self.make_room(row)
        self.own_ms[row] = about.limits.get(SILENT_AFTER, 0) * 1000

    def allowed_s(self, devices: int) -> Numbers:
        """After how long each of the first so many devices is silent: as configured, or longer by its own account."""
        return np.maximum(self.own_ms[:devices], self.silent_after_ms) / 1000

    def newest(self, row: int) -> int:
        """The time of the device's newest sample, 0 before the first."""
        return int(self.newest_ms[row]) if row < len(self.newest_ms) else 0

    def know(self, agent: str) -> Agent:
        """That agent, which need not have been heard."""
        known = self.agents.get(agent)
        if known is None:
            known = self.agents[agent] = Agent(len(self.agents))
            self._agents.append(known)
            self.changed.add(agent)
        return known

    def arrival(self, agent: str, received_ms: int) -> int:
        """A frame of that agent came; the agent's number."""
        heard = self.know(agent)
        heard.arrived_ms = max(heard.arrived_ms, received_ms)
        self._arrived_ms = max(self._arrived_ms, received_ms)
        self.changed.add(agent)
        return heard.number

    def sample(self, agent: str, row: int, time_ms: int) -> None:
        """It held a sample of that device of that time (not later than its arrival)."""
        heard = self.agents[agent]
        heard.frontier_ms = max(heard.frontier_ms, time_ms)
        self.make_room(row)
        self.newest_ms[row] = max(self.newest_ms[row], time_ms)
        self.agent_of[row] = heard.number
        self.changed_devices.add(row)

    def told(self, agent: str, row: int, time_ms: int) -> None:
        """It told of that device, which did not speak itself. Of one that never did, silence counts from then on."""
        heard = self.agents[agent]
        heard.frontier_ms = max(heard.frontier_ms, time_ms)
        if not self.newest(row):
            self.expect(agent, row, time_ms)

    def samples(self, agents: Rows, rows: Rows, times: Rows) -> None:
        """As `sample`, of many at once: the numbers of agents that have arrived, rows of devices, times."""
        newest = np.zeros(len(self._agents), dtype=np.int64)
        np.maximum.at(newest, agents, times)
        for number in np.flatnonzero(newest).tolist():
            agent = self._agents[number]
            agent.frontier_ms = max(agent.frontier_ms, int(newest[number]))
        self.make_room(int(rows.max()))
        np.maximum.at(self.newest_ms, rows, times)
        self.agent_of[rows] = agents
        self.changed_devices.update(rows)

    def expect(self, agent: str, row: int, time_ms: int) -> None:
        """That device ought to be heard of from then on."""
        self.make_room(row)
        self.newest_ms[row] = max(self.newest_ms[row], time_ms)
        self.agent_of[row] = self.agents[agent].number
        self.changed_devices.add(row)

    def agent_behind(self, row: int) -> str:
        """Whose silence the device's is: its agent's name, or ALL_AGENTS when none of several is heard any more."""
        if len(self.agents) > 1 and self.tick_ms - self._arrived_ms > self.silent_after_ms // 2:
            return ALL_AGENTS
        if len(self._names) != len(self.agents):
            self._names = list(self.agents)  # in the order of their numbers
        return self._names[self.agent_of[row]] if row < len(self.agent_of) and self._names else ""

    def tick(self, now_ms: int) -> None:
        """Time moves on. A gap means that we were deaf: nobody is called silent for what was said meanwhile. Where it
        goes back, our clock had been ahead, and what was heard in that future was heard now."""
        if now_ms - self.tick_ms > self._outage_ms:
            self.deaf_until_ms = now_ms
        elif now_ms < self.tick_ms:
            self._come_back(now_ms)
        self.tick_ms = now_ms

    def _come_back(self, now_ms: int) -> None:
        self.changed_devices.update(np.flatnonzero(self.newest_ms > now_ms))
        self.newest_ms = np.minimum(self.newest_ms, now_ms)
        self.deaf_until_ms, self._arrived_ms = min(self.deaf_until_ms, now_ms), min(self._arrived_ms, now_ms)
        for name, agent in self.agents.items():
            if max(agent.arrived_ms, agent.frontier_ms, agent.spared_ms) > now_ms:
                agent.arrived_ms, agent.frontier_ms = min(agent.arrived_ms, now_ms), min(agent.frontier_ms, now_ms)
                agent.spared_ms = min(agent.spared_ms, now_ms)
                self.changed.add(name)

    def spare(self, names: Collection[str]) -> None:
        """The clocks of these agents are so wrong that by now nothing can be told of their devices: what they bring is
        of the past, or refused. Once that is mended a device has the whole time to speak."""
        for name in names:
            agent = self.agents.get(name)
            if agent is not None and self._arrives(agent):
                agent.spared_ms = self.tick_ms
                self.changed.add(name)

    def _arrives(self, agent: Agent) -> bool:
        return self.tick_ms - agent.arrived_ms < self.silent_after_ms

    def silence_s(self, devices: int) -> Numbers:
        """For how long nothing was heard of each of the first so many devices; NaN while that may not be judged.

        That is: after our own outage, and after its agent's clock was wrong (`spare`), until it was heard again or had
        the whole time to speak; and while its agent still brings samples of the past.
        """
        now, newest = self.tick_ms, self.newest_ms[:devices]
        if not devices:
            return np.zeros(0)
        allowed = np.maximum(self.own_ms[:devices], self.silent_after_ms)
        agents, of = self.agents.values(), self.agent_of[:devices]
        spared_ms = np.array([agent.spared_ms for agent in agents], dtype=np.int64)[of]
        draining = np.array(
            [self._arrives(agent) and now - agent.frontier_ms > self._lag_ms for agent in agents], dtype=np.bool_
        )[of]
        until_ms = np.maximum(spared_ms, self.deaf_until_ms)
        spared = draining | ((newest < until_ms) & (now - until_ms < allowed))
        return np.where(spared, np.nan, np.maximum(0, now - newest) / 1000)
