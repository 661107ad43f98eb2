"""Every form that the systems print, clean and damaged, gives exactly the facts that its case names."""

from __future__ import annotations

import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from agent.consoles import Fact
from telemetry.readings import KINDS, fault_of
from tests.agent.consoles.cases import CASES, CORPUS, case_directories, facts_of, shown

CASE_IDS = [f"{path.parent.name}/{path.name}" for path in case_directories()]


@pytest.mark.parametrize("case", case_directories(), ids=CASE_IDS)
def test_case_gives_its_facts(case: Path) -> None:
    expected = [json.loads(line) for line in (case / "expected.jsonl").read_text().splitlines()]
    assert shown(facts_of((case / "input.log").read_bytes())) == expected


@pytest.mark.parametrize("case", case_directories(), ids=CASE_IDS)
def test_facts_are_of_their_kind(case: Path) -> None:
    """Names, fields and numbers follow `telemetry.readings`: what a case gives can be published as it is."""
    for fact in facts_of((case / "input.log").read_bytes()):
        kind = KINDS[fact.kind]
        assert len(fact.names) == len(kind.tags)
        assert kind.open_fields or set(fact.values) <= {*kind.numbers, *kind.texts}
        assert fault_of(fact.kind, fact.values, fact.flags, fact.resolution) is None
        assert 1 <= fact.line <= fact.end_line


def test_every_form_has_a_clean_and_a_damaged_case() -> None:
    names = {path.name for path in (CASES / "consoles").iterdir()}
    damaged = {name for name in names if name.endswith("-damaged")}
    assert {name.removesuffix("-damaged") for name in damaged} <= names
    assert names - damaged - {name.removesuffix("-damaged") for name in damaged} <= {"azure-debugger", "transport"} | {
        "esp-task-tracking-5.5"
    }


def test_seed_documents_read_as_printed() -> None:
    """The numbers of the five documents, written down by hand."""
    facts = {
        path.name[:3]: [fact for fact in facts_of((path / "input.log").read_bytes()) if fact.kind != "event"]
        for path in case_directories()
        if path.parent.name == "seeds"
    }
    assert dict(facts["001"][0].values) == {"total": 65536, "user_mode": 36864, "peak_user_mode": 36864}
    assert [fact.values["used"] for fact in facts["002"]] == [
        0, 1024, 0, 2048, 0, 257024, 0, 0, 1025, 2050, 3075, 190650, 191675,
    ]  # fmt: skip
    leaking = [fact.values["current"] for fact in facts["003"] if fact.names == ("leaking_task", "RAM#22308")]
    assert leaking == [6656, 6656, 10608]
    free = [int(fact.values["free"]) for fact in facts["004"] if fact.kind == "heap"]
    assert [before - after for before, after in pairwise(free)] == [100] * (len(free) - 2) + [0]
    assert facts["000"][0].resolution == 1024


def test_output_that_lost_its_line_feeds_reads_the_same() -> None:
    """Task tracking as one line, as a document's plain text holds it, without the last line feed either."""
    log = (CASES / "seeds" / "003-heap-task-tracking" / "input.log").read_text()
    folded = "## Example Output ``` " + " ".join(log.split()) + " ```"
    assert [as_printed(fact) for fact in facts_of(folded.encode())] == [
        as_printed(fact) for fact in facts_of(log.encode())
    ]


def as_printed(fact: Fact) -> tuple[str, tuple[str, ...], dict[str, int | str]]:
    return fact.kind, fact.names, dict(fact.values)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not here")
def test_corpus_is_read_without_a_miss_or_an_invention(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("compare", CORPUS / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    # The judge starts one process a log; the same answers come from here in a hundredth of the time.
    monkeypatch.setattr(compare, "run", lambda command, log: shown(facts_of(log.read_bytes())))
    monkeypatch.setattr(sys, "argv", ["compare.py", "memfleet", "parse"])
    assert compare.main() == 0, capsys.readouterr().err
