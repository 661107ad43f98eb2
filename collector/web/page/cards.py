"""Alerts or incidents as a list of cards. What stands in one changes in place: a choice that is open stays open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui

from collector.web.page.acting import Acting, Case
from collector.web.page.parts import markup


@dataclass(frozen=True, slots=True)
class Card:
    """One of them: a name that is its own, state and words as HTML, and what can be acted on (None: it is over)."""

    name: str
    state: str
    words: str
    case: Case | None


class _Drawn:
    """A card on the screen."""

    def __init__(self, card: Card, acting: Acting) -> None:
        self._acting = acting
        with ui.element("div").classes("alert"):
            self._state = markup(card.state)
            self._words = markup(card.words)
            self._actions = ui.element("div").classes("actions")
        self._case: Case | None = None
        self._act(card.case)

    def update(self, card: Card) -> None:
        """Bring it to this state."""
        self._state.content = card.state
        self._words.content = card.words
        if card.case != self._case:
            self._act(card.case)

    def _act(self, case: Case | None) -> None:
        self._case = case
        self._actions.clear()
        if case is not None:
            with self._actions:
                self._acting.build(case)


class Cards:
    """The list, in the order given; `nothing` is what it says when it is empty."""

    def __init__(self, acting: Acting, nothing: str) -> None:
        self._acting = acting
        self._nothing = nothing
        self._drawn: dict[str, _Drawn] | None = None
        self._place = ui.element("div").props("aria-live=polite")
        with self._place:
            markup("Looking …", "p").classes("quiet")

    def show(self, cards: Sequence[Card]) -> None:
        """Bring the list to this state."""
        if self._drawn is None or list(self._drawn) != [card.name for card in cards]:
            self._drawn = self._build(cards)
        for card in cards:
            self._drawn[card.name].update(card)

    def _build(self, cards: Sequence[Card]) -> dict[str, _Drawn]:
        self._place.clear()
        with self._place:
            if not cards:
                markup(self._nothing, "p").classes("quiet")
            return {card.name: _Drawn(card, self._acting) for card in cards}
