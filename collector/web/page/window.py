"""Which stretch of time a device's view shows: the newest hour or day, sliding along, or any other, standing still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from nicegui import ui

from collector.web.page.parts import keep_address, markup, moment, switch, turn_switch

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
LENGTHS = {
    "15 min": 15 * _MINUTE, "1 h": _HOUR, "6 h": 6 * _HOUR, "24 h": _DAY, "7 d": 7 * _DAY, "30 d": 30 * _DAY,
    "1 y": 365 * _DAY,
}  # fmt: skip
_USUAL = LENGTHS["1 h"]
_SHORTEST, _LONGEST = _MINUTE, LENGTHS["1 y"]
_ZOOM, _STEP = 2, 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; `end_ms` None: it ends now, and slides."""

    length_ms: int = _USUAL
    end_ms: int | None = None

    def between(self, now_ms: int) -> tuple[int, int]:
        """Its start and end, wall ms."""
        end = now_ms if self.end_ms is None else self.end_ms
        return end - self.length_ms, end

    def zoomed(self, factor: float, now_ms: int) -> Window:
        """So many times as long around the same middle; one that slides goes on sliding."""
        length = _clipped(round(self.length_ms * factor))
        if self.end_ms is None:
            return Window(length)
        return Window(length, self.end_ms + (length - self.length_ms) // 2).settled(now_ms)

    def moved(self, part: float, now_ms: int) -> Window:
        """Later (or earlier) by a part of its length; it does not go beyond now, where it slides again."""
        start, end = self.between(now_ms)
        return replace(self, end_ms=end + round((end - start) * part)).settled(now_ms)

    def settled(self, now_ms: int) -> Window:
        """The same; sliding where it would reach beyond now."""
        return Window(self.length_ms) if self.end_ms is not None and self.end_ms >= now_ms else self


def window_of(start_ms: int, end_ms: int, now_ms: int) -> Window:
    """From start to end, 0 for what is not said: the end is now then, the length the usual one."""
    if not start_ms:
        return Window(_USUAL, end_ms or None).settled(now_ms)
    return Window(_clipped((end_ms or now_ms) - start_ms), end_ms or None).settled(now_ms)


def _clipped(length_ms: int) -> int:
    return max(_SHORTEST, min(_LONGEST, length_ms))


class WindowTools:
    """Buttons and fields that choose the window; `changed` is called after each choice."""

    def __init__(self, window: Window, now_ms: Callable[[], int], changed: Callable[[], Awaitable[None]]) -> None:
        self.window = window
        self._now_ms = now_ms
        self._changed = changed
        with ui.element("div").classes("tools").props('role=group aria-label="Time range"'):
            self._lengths = {name: self._length_chip(name) for name in LENGTHS}
            self._button("←", "Earlier", lambda now: self.window.moved(-_STEP, now))
            self._button("→", "Later", lambda now: self.window.moved(_STEP, now))
            self._button("+", "Zoom in", lambda now: self.window.zoomed(1 / _ZOOM, now))
            self._button("−", "Zoom out", lambda now: self.window.zoomed(_ZOOM, now))
            self._start = moment("From", 0, self._from)
            markup("to", "span").classes("quiet")
            self._end = moment("To, empty: now", 0, self._to)
        self._show()

    async def zoom_to(self, start_ms: int, end_ms: int) -> None:
        """Show that stretch."""
        if end_ms > start_ms:
            await self._choose(window_of(start_ms, end_ms, self._now_ms()))

    def _length_chip(self, name: str) -> ui.html:
        return switch(name, on=False).on("click", lambda: self._choose(Window(LENGTHS[name])))

    def _button(self, sign: str, words: str, turned: Callable[[int], Window]) -> None:
        button = markup(sign, "button").classes("plain small").on("click", lambda: self._choose(turned(self._now_ms())))
        button.props["aria-label"] = button.props["title"] = words

    async def _from(self, at_ms: int) -> None:
        _, end = self.window.between(self._now_ms())
        if at_ms:
            await self.zoom_to(at_ms, end if end > at_ms else at_ms + self.window.length_ms)

    async def _to(self, at_ms: int) -> None:
        start, _ = self.window.between(self._now_ms())
        if not at_ms:
            await self._choose(Window(self.window.length_ms))
        else:
            await self.zoom_to(start if start < at_ms else at_ms - self.window.length_ms, at_ms)

    async def _choose(self, window: Window) -> None:
        self.window = window
        self._show()
        start, end = window.between(0) if window.end_ms is not None else (0, 0)
        keep_address(start=start, end=end)
        await self._changed()

    def _show(self) -> None:
        """Name the window; a sliding one has no times to name."""
        for name, chip in self._lengths.items():
            turn_switch(chip, on=self.window == Window(LENGTHS[name]))
        start, end = self.window.between(0) if self.window.end_ms is not None else (0, 0)
        self._start.props["ms"] = start
        self._end.props["ms"] = end
