"""A user's own maps: what can be said in them, and what is said of their faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.maps import load_maps
from agent.maps.patterns import compiled, filters, without_covered
from agent.maps.trial import Trial
from agent.maps.units import scaled, span_ms
from telemetry.errors import ConfigError

DOCS = Path(__file__).parents[3] / "docs" / "maps.md"
PLANT = re.search(r"```toml\n(system = \"plant\"\n.*?)```", DOCS.read_text(), re.S)


def mapped(tmp_path: Path, text: str, topic: str, payload: str) -> list[dict[str, object]]:
    file = tmp_path / "own.toml"
    file.write_text(text)
    return Trial(load_maps([str(file)])).take(topic, payload.encode(), False, 1)


def test_the_six_lines_of_the_documents_map_a_json_of_one_s_own(tmp_path: Path) -> None:
    assert PLANT is not None
    assert len([line for line in PLANT[1].splitlines() if line.strip()]) == 6
    (found,) = mapped(tmp_path, PLANT[1], "plant/7/health", '{"dev":{"id":"a1"},"mem":{"free_kb":41}}')
    assert (found["device"], found["kind"], found["name"]) == ("a1", "heap", "main")
    assert (found["free"], found["resolution"]) == (41 * 1024, 1024)


def test_messages_that_do_not_say_whose_they_are_are_not_taken_for_one_device(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    topic = 'match = "h/+/x"\ndevice = "{who}"\nmac = "{mac}"\n[topics.heap.main]\nfree = "free"'
    file.write_text(f'system = "own"\n[[topics]]\n{topic}')
    trial = Trial(load_maps([str(file)]))
    assert trial.take("h/1/x", b'{"free":1}', False, 1) == []
    assert trial.take("h/2/x", b'{"free":2}', False, 1) == []
    assert (trial.maps.counts["nameless"], trial.maps.nameless_on) == (2, "h/1/x")
    told = [f'{{"free":3,"mac":"24:0a:c4:00:00:0{number}"}}'.encode() for number in (1, 2, 1)]
    devices = [trial.take("h/3/x", payload, False, 1)[0]["device"] for payload in told]
    assert devices == ["240ac4000001", "240ac4000002", "240ac4000001"], "each MAC is a device of its own"
    assert trial.take("h/4/x", b'{"free":4,"who":"pump"}', False, 1)[0]["device"] == "pump"


HEAD = 'system = "s"\n[[topics]]\nmatch = "a/{device}"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("system = ", "is not TOML"),
        ('system = "s"', "topics: missing"),
        ('system = "s"\n[[topics]]\nmatch = "a"\nmach = "b"', "topics[0].mach: unknown setting (did you mean m"),
        (HEAD + '[topics.heap.main]\nfree = "x KB"', "KB would be 1000 to one and 1024 to another"),
        (HEAD + '[topics.heap.main]\nfree = "x s"', "the unit here is one of B, KiB, MiB"),
        (HEAD + '[topics.heap.main]\nfre = "x"', "a heap has no fre; it has size, free"),
        (HEAD + "[topics.heap.main]", "the heap main has no field"),
        (HEAD + 'uptime = "x KiB"', "the unit here is one of us, ms, s"),
        (HEAD + '[topics.heap.main]\nlargest_free = "frag %fragmented"', "beside free"),
        (HEAD + '[topics.heap."s:*"]\nfree = "x"', "hold the same '*'"),
        (HEAD + 'text = "("', "is no regular expression"),
        (HEAD.replace("a/{device}", "a/#/b"), "'#' can only be the last level"),
        (HEAD + 'device = "{dev.id"\n', "'{dev.id': what is to be filled in stands between { and }"),
        (HEAD.replace("a/{device}", "a/{b}/{b}"), "a name stands in it twice"),
        (HEAD.replace("a/{device}", "a/b+"), "'+' stands for a whole level"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mapped(tmp_path, text, "a/b", "{}")
    assert fault in str(caught.value)
    assert "own.toml" in str(caught.value)


def test_a_name_that_is_no_map_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"tasmotta: cannot be read .*the maps that ship are .*tasmota"):
        load_maps(["tasmotta"])


def test_one_s_own_map_comes_before_those_that_ship(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('system = "own"\n[[topics]]\nmatch = "tele/{device}/STATE"\n[topics.heap.all]\nfree = "Heap KiB"')
    maps = load_maps(["tasmota", str(file)])
    (report,) = maps.apply("tele/x/STATE", b'{"Heap":24,"UptimeSec":1}', False, 1)
    assert report.system == "own"


@pytest.mark.parametrize(
    ("pattern", "topic", "parts"),
    [
        ("plant/{id}/health", "plant/a/health", {"id": "a"}),
        ("plant/{id}/health", "plant/a/b/health", None),
        ("{base*}/heartbeat", "a/b/c/heartbeat", {"base": "a/b/c"}),
        ("{base*}/heartbeat", "a/b/c/d/heartbeat", None),
        ("devices/{id}/events/#", "devices/x/events", {"id": "x"}),
        ("devices/{id}/events/#", "devices/x/events/y/z", {"id": "x"}),
        ("a/+/b", "a//b", {}),
        ("NODE-{id}/free", "NODE-7/free", {"id": "7"}),
        ("a.b/{x}", "aXb/c", None),
        ("", "", {}),
        ("", "a", None),
    ],
)
def test_patterns(pattern: str, topic: str, parts: dict[str, str] | None) -> None:
    found = compiled(pattern).fullmatch(topic)
    assert (found and found.groupdict()) == parts


def test_the_subscriptions_of_a_pattern_bring_what_it_matches() -> None:
    assert filters("{base*}/x/{id}") == ["+/x/+", "+/+/x/+", "+/+/+/x/+"]
    assert filters("NODE-{id}/free/#") == ["+/free/#"]
    assert filters("") == []


def test_subscriptions_that_others_cover_are_left_out() -> None:
    covered = without_covered(["a/b", "a/+", "+/b", "x/#", "x/y/z", "a/+", "$SYS/x", "+/x"])
    assert covered == ["a/+", "+/b", "x/#", "$SYS/x", "+/x"]


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers())))
@example(1.7e305)
@example(10**400)
def test_any_value_gives_a_size_or_none(value: object) -> None:
    for factor in (1024, 0.001):
        size = scaled(value, factor)
        assert size is None or (type(size) is int and 0 <= size < 2**63)
        if isinstance(value, bool) or value is None:
            assert size is None


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (611, "s", 611_000),
        ("437", "min", 26_220_000),
        ("1T07:25:12", "clock", 113_112_000),
        ("0:00:11", "clock", 11_000),
        (431388576, "us", 431_389),
        (2.5, "h", 9_000_000),
        ("soon", "s", None),
        ("soon", "clock", None),
        (f"0T02:00:{'9' * 5000}", "clock", None),
        (-1, "s", None),
    ],
)
def test_uptimes(value: object, unit: str, expected: int | None) -> None:
    assert span_ms(value, unit) == expected
