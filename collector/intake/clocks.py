"""Where the monotonic clocks of senders stand in wall time.

The first frame of a sender's boot tells: it was sent when that clock showed `now_ms`. The place is kept from then on:
what is sent again gets the same times, and a frame that was long on its way moves nothing. It moves when it is off by
more than a minute: such clocks drift, hosts sleep, and our own clock may have been wrong on the day.
"""

from __future__ import annotations

from collector.intake.state import IntakeState
from telemetry.wire import EARLIER, Clock, Header

OFF_MS = 60_000
"""A place that is off by less stays."""
SURELY_MS = 300_000
"""A frame that is late tells the same as a clock that is behind: it is the clock when all are, for so long."""
_MOST = 10_000


class Clocks:
    """Places clocks, and remembers which seem to be behind."""

    def __init__(self, state: IntakeState) -> None:
        self._state = state
        self._behind: dict[tuple[str, str], tuple[int, int]] = {}

    def anchor_ms(self, agent: str, clock: Clock, header: Header, sent_ms: int) -> int:
        """Wall time of the clock's 0. `sent_ms` is our wall time when the frame was sent, as well as we know."""
        boot = agent, clock.boot_id
        heard = max(0, sent_ms - header.now_ms)  # nobody has told us the time yet: the wire has no negative ones
        known = self._state.anchors.get(boot, clock.anchor_ms)
        if known is None:
            known = heard
        elif not header.flags & EARLIER:  # the clock of a boot that is over is a guess
            known = self._corrected(boot, known, heard, sent_ms)
        if known != self._state.anchors.get(boot):
            self._state.set_anchor(*boot, known)
        return known

    def _corrected(self, boot: tuple[str, str], known: int, heard: int, sent_ms: int) -> int:
        """No frame comes before it was sent: what is heard too soon is so at once."""
        if abs(heard - known) <= OFF_MS:
            self._behind.pop(boot, None)
            return known
        if heard > known:
            since, least = self._behind.get(boot, (sent_ms, heard))
            heard = min(heard, least)
            if len(self._behind) >= _MOST:  # somebody makes up boots
                self._behind.clear()
            self._behind[boot] = since, heard
            if sent_ms - since < SURELY_MS:
                return known
        self._behind.pop(boot, None)
        self._state.counts["clocks_corrected"] += 1
        return heard
