"""The two building blocks of the views."""

from __future__ import annotations

from nicegui import ui


def markup(content: str, tag: str = "div") -> ui.html:
    """An element that holds HTML of ours: texts from outside have been escaped by whoever made it."""
    return ui.html(content, tag=tag, sanitize=False)


def switch(content: str, *, on: bool) -> ui.html:
    """A button that is on or off, and says so to those who cannot see it."""
    button = markup(content, "button").classes("chip")
    turn_switch(button, on=on)
    return button


def turn_switch(button: ui.html, *, on: bool) -> None:
    """Turn a switch."""
    button.props["aria-pressed"] = str(on).lower()


def is_on(button: ui.html) -> bool:
    """Whether a switch is on."""
    return bool(button.props["aria-pressed"] == "true")
