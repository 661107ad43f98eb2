"""Files of rules: every fault at once, each with its path; and the set that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.judge import reasons
from collector.judge.columns import form_of, rule_columns
from collector.judge.rules import load_rules, parse_rules
from telemetry.errors import ConfigError
from telemetry.readings import About


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse_rules(text)
    return list(raised.value.faults)


def test_the_set_that_ships_is_sound_and_named_once() -> None:
    rules = load_rules(None)
    assert len({rule.name for rule in rules}) == len(rules) >= 15
    assert {rule.kind for rule in rules} == {"process", "heap", "task", "stack", "pool", "event", "device", "agent"}


def test_every_fault_of_form_is_told_at_once() -> None:
    faults = faults_of(
        """
        rul = 1
        [[rule]]
        name = "a"
        kind = "heap"
        severity = "bad"
        wen = "free < 1"
        for = "5 minutes"
        reason = ""
        [[rule]]
        name = "Not A Name"
        """
    )
    assert [fault.split(":")[0] for fault in faults] == [
        "rul", "rule[0].for", "rule[0].reason", "rule[0].severity", "rule[0].wen", "rule[0].when", "rule[1].kind",
        "rule[1].name", "rule[1].reason", "rule[1].severity",
    ]  # fmt: skip
    assert "did you mean when?" in "\n".join(faults)


def test_every_fault_of_meaning_is_told_at_once_beside_those_of_form() -> None:
    faults = faults_of(
        """
        [[rule]]
        name = "a"
        kind = "heap"
        severity = "info"
        when = "fre < 1 or usd > 1"
        clear = "free >"
        for = "10"
        reason = "{fre:size} {free:bytes} {free!r} [of {size:size}"
        resolved = "{nothing"
        [[rule]]
        name = "a"
        kind = "heaps"
        severity = "info"
        when = "fre < 1"
        labels = ["site=ulm", "ring"]
        reason = "x"
        [[rule]]
        name = "b"
        kind = "stack"
        severity = "info"
        reason = "x"
        verdict = "leaks"
        """
    )
    assert faults == [
        "rule[0].clear: cannot be read: invalid syntax, at its end",
        "rule[0].for: '10' is not a span of time; write 90s, 5m or 1h30m",
        "rule[0].reason: unknown field fre (did you mean free?)",
        "rule[0].reason: {free!r}: write {free} or {free:FORMAT}",
        "rule[0].reason: {free:bytes}: formats are size, percent, ratio, rate, hours, minutes, seconds, milliseconds, "
        "number, hex",
        "rule[0].reason: [brackets] come in pairs, none within another",
        "rule[0].resolved: cannot be read: expected '}' before end of string",
        "rule[0].when: unknown field fre (did you mean free?)",
        "rule[0].when: unknown field usd (did you mean used?)",
        "rule[1].kind: 'heaps' is none of process, heap, task, stack, pool, device, event, agent, log"
        " (did you mean heap?)",
        "rule[1].labels[1]: 'ring' is not a label; write name=pattern (a [ needs its ], as in [abc])",
        "rule[1].name: a is also the name of rule[0]",
        "rule[1].when: unknown field fre (did you mean free?)",
        "rule[2].verdict: 'leaks' is none of leak, fragmentation, step, stack, reboot (did you mean leak?)",
        "rule[2].when: missing (only a rule on events goes without)",
    ]


def test_a_rule_that_could_never_work_is_refused() -> None:
    faults = faults_of(
        """
        [[rule]]
        name = "a"
        kind = "heap"
        severity = "info"
        platform = "esp-32"
        device = "board-[12"
        names = "[[]x]*"
        labels = ["site=[x"]
        when = "free < 1 and 1 < 2"
        reason = "{fill:size} {fill:ratio} {used:percent} {used:number} {leak_rate:size} {suspect:size}"
        resolved = "{lasted:hours}"
        [[rule]]
        name = "b"
        kind = "log"
        severity = "info"
        when = "level > 3"
        reason = "{text}"
        [[rule]]
        name = "c"
        kind = "device"
        severity = "info"
        platform = "[ez]*"
        when = "uptime > 60000"
        reason = "{uptime:milliseconds} {uptime:number} {uptime:seconds}"
        """
    )
    assert faults == [
        "rule[0].device: 'board-[12' is not a pattern (a [ needs its ], as in [abc])",
        "rule[0].labels[0]: 'site=[x' is not a label; write name=pattern (a [ needs its ], as in [abc])",
        "rule[0].platform: 'esp-32' is none of mt3620, esp32, zephyr, freertos, other (did you mean esp32?)",
        "rule[0].reason: {fill:size}: fill is no size: write {fill:percent}",
        "rule[0].reason: {used:percent}: used is no percent: write {used:size}",
        "rule[0].resolved: {lasted:hours}: lasted is no hours: write {lasted:seconds}",
        "rule[0].when: `1 < 2` holds always or never: it compares no field",
        "rule[1].kind: log has no numbers to judge (a pattern file makes events of lines that matter)",
        "rule[2].reason: {uptime:seconds}: uptime is no seconds: write {uptime:milliseconds}",
    ]


def test_an_alert_says_something() -> None:
    rule = '[[rule]]\nname = "a"\nkind = "heap"\nseverity = "info"\nwhen = "free < 9"\nreason = ""\n'
    assert faults_of(rule) == ["rule[0].reason: '' is not a sentence"]


@pytest.mark.parametrize("text", ["", "rule = []", "[[rule", "rule = 3", "[rule]\nname = 'a'"])
def test_what_is_no_list_of_rules_is_told(text: str) -> None:
    assert len(faults_of(text)) == 1


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such file"):
        load_rules(tmp_path / "missing.toml")


def test_selectors() -> None:
    (rule,) = parse_rules(
        """
        [[rule]]
        name = "a"
        kind = "task"
        severity = "info"
        when = "current > 0"
        reason = "x"
        platform = "esp32"
        board = "s3-*"
        names = "wifi*"
        """
    )
    about = About("d", 1, {"platform": "esp32", "board": "s3-devkit"})
    assert rule.selects(about, ("wifi_task", "DRAM"))
    assert not rule.selects(about, ("main", "DRAM"))
    assert not rule.selects(About("d", 1, {"platform": "zephyr", "board": "s3-devkit"}), ("wifi_task", "DRAM"))
    assert not rule.selects(About("d", 1, {"platform": "esp32"}), ("wifi_task", "DRAM"))


def test_numbers_are_written_elsewhere_as_the_sentences_of_the_shipped_rules_write_them() -> None:
    for rule in load_rules(None):
        for name, form in reasons.forms_in(rule.reason):
            if name in rule_columns(rule.kind):
                assert form_of(name) == form, f"{rule.name}: {name}"


@pytest.mark.parametrize(
    ("template", "values", "sentence"),
    [
        ("{free:size} of {size:size}.", {"free": 1.0, "size": 22_528.0}, "1 byte of 22.0 KiB."),
        ("{fill:percent}[, {left:hours} left].", {"fill": 0.934, "left": 0.02}, "93 %, 72 s left."),
        ("{fill:percent}[, {left:hours} left].", {"fill": 0.5, "left": float("nan")}, "50 %."),
        ("failed[ in {caller}].", {"caller": ""}, "failed."),
        ("failed[ in {caller}].", {"caller": "f{x}[0]"}, "failed in f(x)(0)."),
        ("at {at:hex}, {x:number}.", {"at": float(0x3FFB1234), "x": 1_234_567.0}, "at 0x3ffb1234, 1234567."),
        ("up for {up:milliseconds}", {"up": 5_400_000.0}, "up for 90 min"),
        ("{a:hex} {a:number}", {"a": float("inf")}, "inf inf"),
        ("{rate:rate}, {x:number}", {"rate": 3 * 2**20 * 1.0}, "3.0 MiB/h, unknown"),
        ("{a:seconds} {b:minutes} {c:hours}", {"a": 30.0, "b": 90.0, "c": 72.0}, "30 s 90 min 3 days"),
        ("{a:hours} to {b:hours}, {c:rate}", {"a": 50.4, "b": 55.2, "c": -0.2}, "2.1 days to 2.3 days, 0 bytes/h"),
        ("It grows[ until {a:hours}].", {"a": float("inf")}, "It grows."),
        (
            "It is[ at {a:size} of {b:size}| at {a:size}| somewhere].",
            {"a": 7.0, "b": 9.0},
            "It is at 7 bytes of 9 bytes.",
        ),
        ("It is[ at {a:size} of {b:size}| at {a:size}| somewhere].", {"a": 7.0}, "It is at 7 bytes."),
        ("It is[ at {a:size} of {b:size}| at {a:size}| somewhere].", {"b": 9.0}, "It is somewhere."),
    ],
)
def test_sentences(template: str, values: dict[str, float | str], sentence: str) -> None:
    assert reasons.fill(template, values) == sentence


@pytest.mark.parametrize(
    ("left", "low", "high", "words"),
    [
        (6.9, 4.2, 8.3, "memory ends in about 6.9 hours (4.2 to 8.3 hours)"),
        (2.0, 106 / 60, 3.2, "memory ends in about 2.0 hours (1.8 to 3.2 hours)"),
        (1.99, 106 / 60, 3.2, "memory ends in about 119 min (106 to 192 min)"),
        (48.2, 47.9, 48.5, "memory ends in about 2 days"),
        (19 * 24.0, 19 * 24.0, float("inf"), "memory ends in about 19 days"),
        (5.5, 0.0, 16.5, "memory ends in about 5.5 hours (0.0 to 16.5 hours)"),
        (0.0, 0.0, 0.0, "its peaks reach the limit already"),
        (19 / 3600, 0.0, 50 / 3600, "memory ends within a minute"),
        (float("inf"), 3.0, float("inf"), ""),
        (float("nan"), float("nan"), float("nan"), ""),
    ],
)
def test_forecasts(left: float, low: float, high: float, words: str) -> None:
    assert reasons.forecast({"leak_hours_left": left, "leak_hours_low": low, "leak_hours_high": high}) == words


@pytest.mark.parametrize(
    ("left", "block", "words"),
    [
        (6.9, 6.9, "the largest free block is gone in about 6.9 hours"),
        (6.9, float("nan"), "memory ends in about 6.9 hours"),
        (0.01, 0.01, "the largest free block is gone within a minute"),
        (0.0, 0.0, "the largest free block is gone already"),
    ],
)
def test_a_forecast_that_is_of_the_largest_free_block_says_so(left: float, block: float, words: str) -> None:
    hours = dict.fromkeys(("leak_hours_left", "leak_hours_low", "leak_hours_high"), left)
    assert reasons.forecast(hours | {"leak_block_hours": block}) == words


@pytest.mark.parametrize(
    ("left", "ends_at", "words"),
    [
        (6.9, 204_800.0, "memory ends in about 6.9 hours: it ran out before with 200.0 KiB used"),
        (6.9, 307_200.0, "memory ends in about 6.9 hours"),
        (6.9, float("nan"), "memory ends in about 6.9 hours"),
        (0.01, 204_800.0, "memory ends within a minute: it ran out before with 200.0 KiB used"),
        (0.0, 204_800.0, "its peaks reach the limit already: it ran out before with 200.0 KiB used"),
    ],
)
def test_a_forecast_of_where_memory_ran_out_before_says_so(left: float, ends_at: float, words: str) -> None:
    hours = dict.fromkeys(("leak_hours_left", "leak_hours_low", "leak_hours_high"), left)
    assert reasons.forecast(hours | {"ends_at": ends_at, "limit": 307_200.0}) == words
    by_block = reasons.forecast(hours | {"ends_at": ends_at, "limit": 307_200.0, "leak_block_hours": left})
    assert "ran out" not in by_block


@pytest.mark.parametrize("known", [{"leak_boots": 6.0}, {"leak_ended": 90_000.0}])
def test_the_forecast_of_boots_that_are_over_counts_from_the_start_of_each(known: dict[str, float]) -> None:
    hours = {"leak_hours_left": 33.9, "leak_hours_low": 30.2, "leak_hours_high": 37.2} | known
    assert reasons.forecast(hours) == "memory ends about 33.9 hours (30.2 to 37.2 hours) after a start"
    soon = {**known, "leak_hours_left": 0.01}
    assert reasons.forecast(soon) == "memory ends within a minute of a start"


def test_a_rule_that_tells_a_forecast_reports_its_numbers() -> None:
    text = '[[rule]]\nname = "a"\nkind = "heap"\nseverity = "info"\nwhen = "used > 1"\nreason = "[{forecast}]"\n'
    (rule,) = parse_rules(text)
    assert rule.numbers == ("used", "leak_hours_left", "leak_hours_low", "leak_hours_high")
    with pytest.raises(ConfigError, match="unknown field forecast"):
        parse_rules(text.replace("heap", "device").replace("used", "uptime"))
