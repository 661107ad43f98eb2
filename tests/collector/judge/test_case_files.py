"""Files of cases: every fault at once, each with its path; values are written short."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.judge.case_files import load_cases, values_of
from telemetry.errors import ConfigError
from telemetry.readings import KINDS

RULES = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000"
no_data = "1m"
reason = "x"
[[rule]]
name = "full"
kind = "heap"
severity = "warning"
when = "free < 10"
reason = "x"
"""
CASE = """
rules = "rules.toml"
[[case]]
name = "a"
[[case.series]]
kind = "heap"
names = ["main"]
free = "5000x3 500x6"
"""
EXPECT = '[[case.expect]]\nrule = "low"\n'


def faults_of(folder: Path, text: str, rules: str = RULES) -> list[str]:
    (folder / "rules.toml").write_text(rules)
    (folder / "cases.toml").write_text(text)
    try:
        load_cases(folder / "cases.toml")
    except ConfigError as error:
        return list(error.faults)
    return []


def test_every_fault_is_told_at_once_those_of_the_rules_too(tmp_path: Path) -> None:
    case = """
        colour = "red"
        rules = "rules.toml"
        [[case]]
        name = "a"
        every = "ten"
        platfrom = "zephyr"
        [[case.series]]
        kind = "heaps"
        [[case.series]]
        kind = "heap"
        names = ["main"]
        fre = 5
        used = "5x"
        [[case.expect]]
        at = "soon"
        rule = "lo"
        state = "no-data"
        """
    wrong = RULES.replace("free < 1000", "fre < 1000").replace("1m", "a minute")
    assert [fault.split(": ")[0] for fault in faults_of(tmp_path, case)] == [
        "case[0].every", "case[0].expect[0].at", "case[0].expect[0].rule", "case[0].expect[0].state",
        "case[0].platfrom", "case[0].series[0].kind", "case[0].series[1].fre", "case[0].series[1].used", "colour",
    ]  # fmt: skip
    assert [fault.rpartition("rules.toml: ")[2].split(":")[0] for fault in faults_of(tmp_path, case, wrong)[-2:]] == [
        "rule[0].no_data", "rule[0].when",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("5000x3 500x6", "5x", "series[0].free: '5x' is no row of whole numbers; write 5, 5x12, 20000-500x24, and _"),
        ("5000x3 500x6", "500x6 950 x20", "series[0].free: '500x6 950 x20' is no row of whole numbers"),
        ('"5000x3 500x6"', "9.5", "series[0].free: 9.5 is no row of whole numbers"),
        ('"5000x3 500x6"', "[100, 950]", "series[0].free: [100, 950] is no row of whole numbers"),
        ('"5000x3 500x6"', "{a = 1}", "series[0].free: {'a': 1} is no row of whole numbers"),
        ('"5000x3 500x6"', "true", "series[0].free: True is no row of whole numbers"),
        ("5000x3 500x6", "100-30x5", "series[0].free: -20 would be refused: negative"),
        ("5000x3", "5000x99999", "series[0].free: more than 100000 readings"),
        ("free =", "fre =", "series[0].fre: heap has no such field (did you mean free?)"),
        ('free = "5000x3 500x6"', "", "series[0]: says nothing; its fields are size, free"),
        ('["main"]', '"main"', "series[0].names: 'main' does not name a heap; write names = [\"the heap\"]"),
        ('["main"]', "[]", "series[0].names: [] does not name a heap"),
        ('["main"]', "[5]", "series[0].names: [5] does not name a heap"),
        ('["main"]', '["main", "x"]', "series[0].names: ['main', 'x'] does not name a heap"),
        ('"heap"', '"task"', 'series[0].names: [\'main\'] does not name a task; write names = ["the task", "the'),
        ('"heap"', '"process"', "series[0].names: ['main'] does not name a process; leave it out"),
        ('name = "a"', 'name = "a"\nevery = "0s"', "every: must be longer than 0s"),
        ('name = "a"', 'name = "a"\nplatform = "esp23"', "platform: 'esp23' is none of mt3620, esp32, zephyr"),
        ('name = "a"', 'name = "a"\nrules = []', "rules: unknown setting"),
    ],
)
def test_a_slip_is_told_with_what_to_write(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert faults_of(tmp_path, CASE) == []
    told = faults_of(tmp_path, CASE.replace(old, new))
    assert [one for one in told if one.startswith(f"case[0].{fault}")]


@pytest.mark.parametrize(
    ("expect", "fault"),
    [
        (EXPECT + 'at = "2m"\nuntil = "4m"', ""),
        (EXPECT + 'at = "4m"\nuntil = "2m"', "until: 2m is before 4m, when it fires at the latest"),
        (EXPECT.replace("low", "lov"), "rule: there is no rule lov (did you mean low?)"),
        (EXPECT.replace("low", "low:no_data"), 'rule: write rule = "low" and state = "no_data"'),
        (EXPECT + 'names = ["main"]', ""),
        (EXPECT + 'names = ["mian"]', "names: ['mian'] is no series of the case"),
        (EXPECT + 'state = "error"', ""),
        (EXPECT.replace("low", "full") + 'state = "error"', "state: rule full never tells error; it tells breach"),
        (EXPECT + 'state = "errors"', "state: 'errors' is none of breach, no_data, error (did you mean error?)"),
    ],
)
def test_what_can_never_come_is_told(tmp_path: Path, expect: str, fault: str) -> None:
    told = [fault.removeprefix("case[0].expect[0].") for fault in faults_of(tmp_path, CASE + expect)]
    assert told[:1] == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('rules = "rules.toml"\n', "there is no [[case]] in it"),
        ('[[case]]\nname = "a"\nseries = []\n', "case[0].series: is empty; a case needs a [[case.series]]"),
        ('[[case]]\nname = "a"\n', "case[0].series: missing"),
        (CASE + CASE.partition('.toml"')[2], "case[1].name: a is also the name of case[0]"),
        ("case = 5\n", "case: expected `array`, got `int`"),
    ],
)
def test_a_file_that_tries_nothing_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    assert faults_of(tmp_path, text) == [fault]


def test_values_are_written_short() -> None:
    heap, event = KINDS["heap"], KINDS["event"]
    assert values_of(heap, "free", "5x2 _x2 10+5x3 7") == [5, 5, None, None, 10, 15, 20, 7]
    assert values_of(heap, "free", "100-10x3") == [100, 90, 80]
    assert values_of(heap, "free", 9) == [9]
    assert values_of(event, "text", "5x2") == ["5x2"]
    assert values_of(event, "place", "camera grab") == ["camera grab"]
    assert values_of(event, "count", "5x2") == [5, 5]
    with pytest.raises(ValueError, match="5 is no text"):
        values_of(event, "reason", 5)
