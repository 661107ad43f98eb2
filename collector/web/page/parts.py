"""The building blocks of the views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

FIND_MOST = 200
"""Characters of what somebody looks for."""
_DIGITS = 16
"""Times in an address have fewer, and the numbers of pages."""


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


def choice(
    label: str, options: Iterable[tuple[str, str]], chosen: str, act: Callable[[str], Any], classes: str = "choice"
) -> ui.html:
    """A drop-down list of (value, words); `act` gets the value that somebody chooses."""
    drawn = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in options
    )
    place = markup(drawn, "select").classes(classes)
    place.props["aria-label"] = label
    return place.on("change", lambda event: act(str(event.args)), js_handler="event => emit(event.target.value)")


def field(label: str, hint: str, text: str, act: Callable[[str], Any]) -> ui.element:
    """A field to type into; `act` gets the text a few times a second while somebody types."""
    place = ui.element("input").classes("find").props("type=search autocomplete=off")
    place.props["placeholder"] = hint
    place.props["defaultValue"] = text  # as `value` it would undo what is being typed at each update
    place.props["aria-label"] = label
    handler = "event => emit(event.target.value)"
    return place.on("input", lambda event: act(str(event.args)[:FIND_MOST]), js_handler=handler, throttle=0.2)


def moment(label: str, at_ms: int, act: Callable[[int], Any]) -> ui.element:
    """A field for a moment in the browser's own zone; `act` gets it as wall ms, 0 where the field is emptied."""
    place = ui.element("moment-field").props(f"ms={at_ms}")
    place.props["label"] = label
    return place.on("moment", lambda event: act(int(event.args)), js_handler="event => emit(event.detail)")


def keep_address(**told: str | int) -> None:
    """Let the address of the browser say what is shown, so that it can be sent on and Back returns to it. What is empty
    or 0 is left out."""
    query = urlencode({name: value for name, value in told.items() if value})
    ui.run_javascript(f"history.replaceState(null, '', location.pathname + '{f'?{query}' if query else ''}')")


def number_in(text: str) -> int:
    """A number of an address; 0 where there is none."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < _DIGITS else 0


def table_html(columns: Sequence[str], rows: Iterable[Sequence[str]], classes: str = "list") -> str:
    """A table of cells that are HTML already; a column that begins with `>` is one of numbers. Each cell carries the
    name of its column, which stands before it where the screen is too narrow for a table."""
    numbers = [' class="number"' if column.startswith(">") else "" for column in columns]
    heads = "".join(
        f'<th scope="col"{number}>{escape(column.lstrip(">"))}</th>'
        for column, number in zip(columns, numbers, strict=True)
    )
    marks = [
        f'{number} data-column="{escape(column.lstrip(">"))}"' for column, number in zip(columns, numbers, strict=True)
    ]
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(cells, marks, strict=True)) + "</tr>"
        for cells in rows
    )
    return f'<table class="{classes}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
