"""What people can do about an alert or an incident: acknowledge it, silence it for a while."""

from __future__ import annotations

import glob
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from nicegui import ui

from collector.web.page.frame import caller, may_act
from collector.web.page.parts import choice, markup
from collector.web.services import Services
from telemetry.errors import EnvironmentFault

_HOUR_MS = 3_600_000
_SPANS = {"1": "for 1 hour", "8": "for 8 hours", "24": "for a day", "168": "for 7 days"}
_END = "end"
_NEEDS = "This wants the operator token"


@dataclass(frozen=True, slots=True)
class Case:
    """Something to act on: (peer, key) of each part, the peer's address empty for our own; `what` names it."""

    parts: tuple[tuple[str, str], ...]
    what: str
    acknowledged: bool
    silenced: bool


class Acting:
    """The buttons, for whoever looks at this page, if they may."""

    def __init__(self, services: Services, request: Request) -> None:
        self._services = services
        self._may_act = may_act(request)
        self._caller = caller(request)

    def build(self, case: Case) -> None:
        """Draw what can be done about it, here."""
        if case.acknowledged:
            markup("acknowledged", "span").classes("quiet")
        else:
            self._acknowledge_button(case)
        self._silence_choice(case)

    def _acknowledge_button(self, case: Case) -> None:
        button = markup("Acknowledge", "button").classes("plain")
        button.props["aria-label"] = f"Acknowledge: {case.what}"

        async def act() -> None:
            if await self._do(case, self._acknowledge):
                button.props["disabled"] = True
                button.content = "Noted …"

        self._allow(button, act)

    def _silence_choice(self, case: Case) -> None:
        first = ("", "Silenced" if case.silenced else "Silence …")
        end = [(_END, "no longer")] if case.silenced else []
        options = [first, *end, *_SPANS.items()]

        async def act(value: str) -> None:
            if value and await self._do(case, lambda peer, key: self._silence(peer, key, value)):
                ui.notify("No longer silenced" if value == _END else f"Silenced {_SPANS[value]}")

        place = choice(f"Silence: {case.what}", options, "", act)
        if not self._may_act:
            place.props["disabled"] = True
            place.props["title"] = _NEEDS

    def _allow(self, button: ui.html, act: Callable[[], Awaitable[None]]) -> None:
        if self._may_act:
            button.on("click", act)
        else:
            button.props["disabled"] = True
            button.props["title"] = _NEEDS

    async def _do(self, case: Case, deed: Callable[[str, str], Awaitable[None]]) -> bool:
        if not self._may_act:  # a disabled button can be pressed from a browser's console
            return False
        try:
            for peer, key in case.parts:
                await deed(peer, key)
        except EnvironmentFault as error:
            ui.notify(f"Not done: {error}", type="negative")
            return False
        return True

    async def _acknowledge(self, peer: str, key: str) -> None:
        if peer:
            await self._services.peers.post(peer, "alerts/acknowledge", {"key": key, "by": self._caller})
        else:
            self._services.desk.acknowledge(key, self._caller)

    async def _silence(self, peer: str, key: str, value: str) -> None:
        pattern = glob.escape(key)
        until_ms = 0 if value == _END else self._services.now_ms() + int(value) * _HOUR_MS
        if peer:
            body = {"pattern": pattern, "by": self._caller} | ({"until_ms": until_ms} if until_ms else {})
            await self._services.peers.post(peer, "silences" if until_ms else "silences/end", body)
        elif until_ms:
            self._services.desk.silence(pattern, until_ms, self._caller)
        else:
            self._services.desk.unsilence(pattern, self._caller)
