"""Cases for rules: the shipped ones hold, and a wrong expectation is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from collector.judge.case_files import Case, load_cases
from collector.judge.cases import run_case
from memfleet.cli import main

SHIPPED, SHIPPED_RULES = load_cases(Path(__file__).parents[2] / "cases" / "rules" / "shipped.toml")

RULES = """
[[rule]]
name = "low"
kind = "heap"
severity = "warning"
when = "free < 1000"
labels = ["site=ulm*"]
reason = "{free:size} are free."
"""

CASE = """
rules = "rules.toml"
[[case]]
name = "low in Ulm"
labels = {site = "SITE"}
[[case.series]]
kind = "heap"
names = ["main"]
free = "5000x3 500x6"
[[case.expect]]
rule = "low"
at = "40s"
reason = "500 bytes*"
"""


@pytest.mark.parametrize("case", SHIPPED, ids=lambda case: case.name)
def test_the_shipped_rules_do_what_their_cases_say(case: Case) -> None:
    assert run_case(case, SHIPPED_RULES) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "cases.toml"
    path.write_text(text)
    (case,), rules = load_cases(path)
    return run_case(case, rules)


def test_a_device_that_reports_seldom_is_not_silent_between_two_reports(folder: Path) -> None:
    (folder / "rules.toml").write_text(
        '[[rule]]\nname = "silent"\nkind = "device"\nseverity = "info"\n'
        'when = "silent_s >= silent_after_s"\nreason = "?"\n'
    )
    seldom = CASE.partition("[[case.expect]]")[0].replace("labels", 'every = "10m"\nlabels')
    assert faults(folder, seldom) == []
    assert len(faults(folder, seldom.replace("labels", "silent_after_s = 500\nlabels"))) == 8


def test_a_long_case_is_heard_to_its_end_in_wider_ticks(folder: Path) -> None:
    long = CASE.replace("SITE", "ulm-2").replace("labels", 'every = "70s"\nlabels').replace("5000x3", "5000x200")
    assert faults(folder, long.replace("500x6", "500x1").replace("40s", "3h53m25s")) == []
    assert faults(folder, long.replace("40s", "3h53m")) == ["low of main fires after 233m25s, not by 3h53m"]


def test_a_rule_is_selected_by_label(folder: Path) -> None:
    assert faults(folder, CASE.replace("SITE", "ulm-2")) == []
    assert faults(folder, CASE.replace("SITE", "bonn")) == ["low does not fire"]


def test_what_differs_is_said(folder: Path) -> None:
    text = CASE.replace("SITE", "ulm-2")
    assert faults(folder, text.replace("40s", "20s")) == ["low of main fires after 31s, not by 20s"]
    assert faults(folder, text.replace("500 bytes*", "no*")) == ["low of main says: 500 bytes are free."]
    assert faults(folder, text.replace("at =", "until =")) == ["low of main is never resolved"]
    assert faults(folder, text.split("[[case.expect]]")[0]) == ["low of main fires after 31s: 500 bytes are free."]
    assert faults(folder, text.split("[[case.expect]]")[0] + "[[case.expect]]\nrule='low'\n" * 2)[0] == (
        "low does not fire"
    )


def test_a_case_expects_on_which_heap(folder: Path) -> None:
    text = CASE.replace("SITE", "ulm-2").replace('rule = "low"', 'rule = "low"\nnames = ["main"]')
    assert faults(folder, text) == []
    other = '[[case.series]]\nkind = "heap"\nnames = ["spare"]\nfree = "5000x9"\n[[case.expect]]'
    text = text.replace('"main"]\nat', '"spare"]\nat').replace("[[case.expect]]", other)
    assert faults(folder, text) == [
        "low of spare does not fire", "low of main fires after 31s: 500 bytes are free.",
    ]  # fmt: skip


WATCHED = """
rules = "rules.toml"
[[case]]
name = "a heap that is not heard, and then does not say what is asked"
[[case.series]]
kind = "heap"
names = ["main"]
size = "_x20 9000x30"
free = "5000x3 _x17 _x30"
[[case.series]]
kind = "stack"
names = ["main"]
size = "100x50"
[[case.expect]]
rule = "low"
state = "no_data"
at = "1m21s"
until = "3m21s"
[[case.expect]]
rule = "low"
state = "error"
at = "4m21s"
"""


def test_a_case_expects_that_a_rule_cannot_be_judged(folder: Path) -> None:
    watched = RULES.replace('labels = ["site=ulm*"]', 'no_data = "1m"')
    (folder / "rules.toml").write_text(watched)
    assert faults(folder, WATCHED) == []
    assert faults(folder, WATCHED.replace("1m21s", "1m")) == ["low (no_data) of main fires after 1m21s, not by 1m"]
    assert faults(folder, WATCHED.replace("4m21s", "4m")) == ["low (error) of main fires after 4m21s, not by 4m"]
    assert faults(folder, WATCHED + 'until = "9m"\n') == ["low (error) of main is never resolved"]
    assert faults(folder, WATCHED.replace("no_data", "breach"))[0] == "low does not fire"
    assert faults(folder, WATCHED.rpartition("[[case.expect]]")[0])[0].startswith(
        "low (error) of main fires after 4m21s: "
    )


def test_a_case_expects_a_severity(folder: Path) -> None:
    text = CASE.replace("SITE", "ulm-2")
    assert faults(folder, text + 'severity = "warning"\n') == []
    assert faults(folder, text + 'severity = "critical"\n') == ["low of main is warning, not critical"]


def test_the_command_says_which_case_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = folder / "cases.toml"
    for site, status in (("ulm-1", 0), ("bonn", 1)):
        cases.write_text(CASE.replace("SITE", site))
        monkeypatch.setattr(sys, "argv", ["memfleet", "rules", "test", str(cases)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == status
    assert capsys.readouterr().out.splitlines() == [
        "ok  cases.toml: low in Ulm",
        "FAILED  cases.toml: low in Ulm",
        "        low does not fire",
    ]


def test_the_command_runs_the_sound_files_and_names_every_fault_of_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"a": CASE.replace("500x6", "5x6x"), "b": CASE.replace("SITE", "ulm-1"), "c": "rules = 5\n"}
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    monkeypatch.setattr(sys, "argv", ["memfleet", "rules", "test", *(str(folder / f"{name}.toml") for name in texts)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == "ok  b.toml: low in Ulm\n"
    assert [line.rpartition("/")[2].split(":")[:2] for line in said.err.splitlines()] == [
        ["a.toml", " case[0].series[0].free"], ["c.toml", " rules"], ["c.toml", " there is no [[case]] in it"],
    ]  # fmt: skip
