"""What people read: which incident a message begins with, and how each is worded."""

from __future__ import annotations

from collector.notify.ledger import Known
from collector.notify.messages import Notice, compose
from collector.records import Incident

NOW = 1_790_000_000_000
MINUTE = 60_000


def incident(rule: str = "heap-low", severity: str = "warning", status: str = "firing") -> Incident:
    key = f"{rule}|esp32|1.5.0|heap|dram@{NOW}"
    reason = f"The reason of {rule}."
    return Incident(key, status, rule, severity, NOW, NOW, 1, 1, "board-1", "board-1", reason, "heap", ("dram",))


def notice(one: Incident, told_severity: str = "", *, chart: bytes = b"") -> Notice:
    told_ms = NOW if told_severity else 0
    return Notice(Known(one, told_ms, 1 if told_ms else 0, told_severity, 1 if told_ms else 0), (), (), chart)


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
