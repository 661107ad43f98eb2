"""Cases for rules: the shipped ones hold, and a wrong expectation is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from collector.judge.cases import load_cases, run_case, values_of
from memfleet.cli import main
from telemetry.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "cases" / "rules" / "shipped.toml"

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


@pytest.mark.parametrize("case", load_cases(SHIPPED), ids=lambda case: case.name)
def test_the_shipped_rules_do_what_their_cases_say(case) -> None:  # type: ignore[no-untyped-def]
    assert run_case(case) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "cases.toml"
    path.write_text(text)
    (case,) = load_cases(path)
    return run_case(case)


def test_a_device_that_reports_seldom_is_not_silent_between_two_reports(folder: Path) -> None:
    (folder / "rules.toml").write_text(
        '[[rule]]\nname = "silent"\nkind = "device"\nseverity = "info"\n'
        'when = "silent_s >= silent_after_s"\nreason = "?"\n'
    )
    seldom = CASE.partition("[[case.expect]]")[0].replace("labels", 'every = "10m"\nlabels')
    assert faults(folder, seldom) == []
    assert len(faults(folder, seldom.replace("labels", "silent_after_s = 500\nlabels"))) == 8


def test_a_file_without_a_case_is_a_fault(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \[\[case\]\]"):
        faults(folder, 'rules = "rules.toml"\n')


def test_a_rule_is_selected_by_label(folder: Path) -> None:
    assert faults(folder, CASE.replace("SITE", "ulm-2")) == []
    assert faults(folder, CASE.replace("SITE", "bonn")) == ["low does not fire"]


def test_what_differs_is_said(folder: Path) -> None:
    text = CASE.replace("SITE", "ulm-2")
    assert faults(folder, text.replace("40s", "20s")) == ["low fires after 31s, not by 20s"]
    assert faults(folder, text.replace("500 bytes*", "no*")) == ["low says: 500 bytes are free."]
    assert faults(folder, text.replace("at =", "until =")) == ["low is never resolved"]
    assert faults(folder, text.split("[[case.expect]]")[0]) == ["low fires after 31s: 500 bytes are free."]
    assert faults(folder, text.split("[[case.expect]]")[0] + "[[case.expect]]\nrule='low'\n" * 2)[0] == (
        "low does not fire"
    )


def test_every_fault_of_a_file_is_named_with_its_path(folder: Path) -> None:
    wrong = CASE.replace("SITE", "x").replace('at = "40s"', 'at = "soon"').replace("free =", "fre =")
    (folder / "cases.toml").write_text(wrong.replace('rule = "low"', 'rule = "lo"'))
    with pytest.raises(ConfigError) as raised:
        load_cases(folder / "cases.toml")
    assert [fault.split(":")[0] for fault in raised.value.faults] == [
        "case[0].expect[0].rule",
        "case[0].expect[0].at",
        "case[0].series[0].fre",
    ]


def test_values_are_written_short() -> None:
    assert values_of("5x2 _x2 10+5x3 7") == [5, 5, None, None, 10, 15, 20, 7]
    assert values_of("100-10x3") == [100, 90, 80]
    assert values_of(9) == [9]
    assert values_of("camera grab") == ["camera grab"]
    with pytest.raises(ValueError, match="more than"):
        values_of("1x999999")


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
