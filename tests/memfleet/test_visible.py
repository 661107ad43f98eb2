"""Nothing that a device says acts in a terminal or a log, and nothing of it is hidden."""

from __future__ import annotations

import io
import json
import logging
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from collector.notify.channels import LogChannel
from memfleet import tables
from memfleet.board import fleet_board
from memfleet.program import VisibleRecord
from telemetry.visible import visible, visible_json

HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x07\r\n\t\x7f\u202e\u2066\u2028\u200f[]=+-@,\"'\\"))
)
ATTACKS = ["\x1b[2J\x1b[31mowned", "a\nERROR forged line", "\x9b31m", "user\u202etxt.exe", "\x1b]8;;http://x\x07link"]


def acts(text: str) -> bool:
    """Whether a terminal or a reader of lines would do something on account of the text."""
    return any(
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for letter in text
    )


@given(HOSTILE)
def test_nothing_acts_and_what_is_harmless_stays(text: str) -> None:
    assert not acts(visible(text))
    if not acts(text) and not set(text) & set("\u061c\u200e\u200f"):
        assert visible(text) == text


@given(st.recursive(HOSTILE, lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner), max_leaves=8))
def test_json_means_the_same(value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    assert json.loads(visible_json(text)) == value
    assert not acts(visible_json(text).replace("\n", ""))


@given(HOSTILE)
def test_a_log_record_is_one_line_that_does_nothing(text: str) -> None:
    record = VisibleRecord("memfleet.agent", logging.WARNING, "", 0, "message on %s", (text,), None)
    assert not acts(logging.Formatter("%(levelname)s %(message)s").format(record))


@given(HOSTILE, HOSTILE)
@example("resolved", "")
@example("resolved: heap low", "")
def test_a_message_on_the_log_channel_is_one_line(title: str, body: str) -> None:
    stream = io.StringIO()
    assert LogChannel(stream).send(title, body, "resolved") is None
    said_twice = title == "resolved" or title.startswith("resolved: resolved: ")  # by the title itself
    assert said_twice or not stream.getvalue().startswith("resolved: resolved: ")
    written = stream.getvalue()
    assert written.endswith("\n")
    assert not acts(written[:-1])


@pytest.mark.parametrize("attack", ATTACKS)
def test_tables_show_what_devices_are_called(attack: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_table(("device", "reason"), [(attack, tables.state(attack))], "none")
    tables.print_json({"device": attack})
    for line in capsys.readouterr().out.splitlines():
        assert not acts(line)


@given(st.lists(st.tuples(HOSTILE, HOSTILE.map(str.rstrip), HOSTILE), min_size=1, max_size=5))
def test_a_table_that_needs_no_folding_is_set_as_any_other(rows: list[tuple[str, str, str]]) -> None:
    """But for spaces at the end of what is set to the right, which rich cuts off: numbers have none."""
    columns = ("device", ">used", "reason")
    lines = [[tables.state(first), *map(tables._cell, others)] for first, *others in rows]
    straight = tables._set_straight(columns, lines, 2_000)
    drawn = []
    for table in (straight, tables._folded(columns, lines)):
        stream = io.StringIO()
        Console(file=stream, width=2_000, force_terminal=True).print(table, soft_wrap=table is straight)
        drawn.append(stream.getvalue())
    plain = [[line.rstrip() for line in re.sub("\x1b[^m]*m", "", text).splitlines()] for text in drawn]
    assert straight is not None
    assert plain[0] == plain[1]
    assert tables._set_straight(columns, lines, 10) is None


@pytest.mark.parametrize("count", [1, 5], ids=["a few", "many"])
@pytest.mark.parametrize("attack", [*ATTACKS, "[bold red]loud[/bold red]"])
def test_the_board_of_the_demo_shows_them_too(attack: str, count: int) -> None:
    device = {"device": attack, "state": attack, "platform": attack, "firmware": attack, "used": None, "limit": None}
    answer = {"devices": [device] * count, "total": count, "states": {"ok": count}}
    alert = {"device": attack, "severity": attack, "reason": f"{attack}, and why"}
    stream = io.StringIO()
    Console(file=stream, width=400).print(fleet_board("memfleet", answer, [alert], 5))
    assert not any(acts(line) for line in stream.getvalue().splitlines())
    assert f"{visible(attack)}, and why" in stream.getvalue()
