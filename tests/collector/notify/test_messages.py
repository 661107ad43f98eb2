"""What people read: which incident a message begins with, and how each is worded."""

from __future__ import annotations

import msgspec
import pytest

from collector.notify.evidence import line_of
from collector.notify.ledger import Known
from collector.notify.messages import Notice, compose
from collector.records import Finding, Incident

NOW = 1_790_000_000_000
MINUTE = 60_000


def alert(device: str = "board-1", at_ms: int = NOW, reason: str = "The reason of heap-low.") -> Finding:
    key = f"heap-low|{device}|heap|dram"
    return Finding(key, key, "firing", "heap-low", "warning", device, "heap", ("dram",), NOW, at_ms, reason)


def incident(rule: str = "heap-low", severity: str = "warning", status: str = "firing") -> Incident:
    key = f"{rule}|esp32|1.5.0|heap|dram@{NOW}"
    reason = f"The reason of {rule}."
    return Incident(key, status, rule, severity, NOW, NOW, 1, 1, "board-1", "board-1", reason, "heap", ("dram",))


def notice(one: Incident, told_severity: str = "", *, chart: bytes = b"") -> Notice:
    told_ms = NOW if told_severity else 0
    return Notice(Known(one, told_ms, 1 if told_ms else 0, told_severity, 1 if told_ms else 0), (), (), chart)


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("", "heap low on board-1 (lab)"),
        (":error", "cannot judge heap low on board-1 (lab)"),
        (":no_data", "no data for heap low on board-1 (lab)"),
    ],
)
def test_a_rule_that_cannot_be_judged_has_no_title_of_a_breach(state: str, title: str) -> None:
    one = incident()
    told = msgspec.structs.replace(one, key=one.key.replace("heap-low", f"heap-low{state}", 1))
    assert compose([notice(told)], "lab", "", NOW).title == title


def test_the_worst_comes_first_and_what_is_over_last() -> None:
    notices = [
        notice(incident("over", "critical", "resolved"), "critical"),
        notice(incident("failed-allocation"), chart=b"of the warning"),
        notice(incident("panic", "critical"), chart=b"of the panic"),
    ]
    message = compose(notices, "lab", "", NOW)
    assert message.title == "3 incidents: panic on board-1, ... (lab)"
    assert (message.level, message.rule, message.picture) == ("critical", "panic", b"of the panic")
    found = [line for line in message.body.splitlines() if "reason" in line]
    assert [line.split("reason of ")[1] for line in found] == ["panic.", "failed-allocation.", "over."]
    assert compose(notices[:1], "lab", "", NOW).level == "resolved"
    assert compose(notices[:2], "lab", "", NOW).title == "2 incidents: failed allocation on board-1, ... (lab)"


def test_who_knows_of_it_reads_how_long_it_is_open_and_how_old_the_words_are() -> None:
    known = Notice(Known(incident(), NOW, 1, "warning", 1), [alert("board-2", NOW + 9 * MINUTE, "Its own."), alert()])
    told = compose([known], "lab", "", NOW + 14 * MINUTE)
    assert told.title == "still: heap low on board-1 (lab)"
    assert told.body.splitlines()[0] == "still: board-1 dram: Open for 14 min. Said 14 min ago: The reason of heap-low."


def test_words_that_are_new_are_not_called_old() -> None:
    worse = msgspec.structs.replace(incident(severity="critical"), at_ms=NOW + 14 * MINUTE)
    known = Notice(Known(worse, NOW, 1, "warning", 1), [alert(at_ms=NOW + 14 * MINUTE)])
    told = compose([known], "lab", "", NOW + 14 * MINUTE + 10_000)
    assert told.body.splitlines()[0] == "worse: board-1 dram: Open for 14 min. The reason of heap-low."
    assert compose([notice(incident())], "lab", "", NOW).body.splitlines()[0] == "board-1 dram: The reason of heap-low."


def test_the_numbers_of_what_is_known_are_not_repeated() -> None:
    one = msgspec.structs.replace(incident(), numbers={"leak_rate": 1200.5})
    assert "numbers: " in compose([notice(one)], "lab", "", NOW).body
    assert "numbers: " not in compose([notice(one, "warning")], "lab", "", NOW).body


def test_numbers_are_named_as_people_say_them_where_the_reason_has_them_not() -> None:
    reason = "Used memory grows by 1.2 KiB/h, 12.0 KiB in 35 min; memory ends within a minute."
    numbers = {
        "leak_rate": 1200.5, "leak_grown": 12_288.0, "leak_minutes": 35.0, "leak_hours_left": 14 / 3600,
        "leak_hours_low": 10 / 3600, "free": 2048.0, "fill": 0.93, "before_reset_1": 99.0,
    }  # fmt: skip
    one = msgspec.structs.replace(incident(), reason=reason, numbers=numbers)
    lines = compose([notice(one)], "lab", "", NOW).body.splitlines()
    assert lines[1] == "numbers: leak left 14 s, free 2.0 KiB, fill 93 %, before reset 1 99 bytes"
    told = msgspec.structs.replace(one, numbers={"leak_rate": 1200.5})
    assert "numbers" not in compose([notice(told)], "lab", "", NOW).body


def test_log_lines_have_the_level_and_module_that_the_device_named() -> None:
    assert line_of(NOW, "warning", "mqtt", "gone") == "14:13:20Z warning mqtt: gone"
    assert line_of(NOW, "", "mqtt", "gone") == "14:13:20Z mqtt: gone"
    assert line_of(NOW, "", "", "gone") == "14:13:20Z gone"
