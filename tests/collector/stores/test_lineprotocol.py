from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records import Incident
from collector.stores.lineprotocol import Encoder, UnsafeTagError, escape_tag, quote
from telemetry.readings import KINDS, RESERVED, About
from telemetry.wire import Rows
from tests.collector.stores.fake_influx import parse
from tests.collector.stores.made import ABOUT, T0, counting, finding, heap


def encoder(**options: bool) -> Encoder:
    return Encoder("demo", "memfleet_", lambda device: ABOUT if device == "esp-1" else About(device, 0), **options)


def block(kind: str, names: tuple[str, ...], fields: tuple[str, ...], *rows: list[object], **changes: int) -> Rows:
    return Rows(
        "esp-1", 1, kind, names, changes.get("flags", 0), changes.get("resolution", 1), T0, 7, fields, list(rows)
    )


def test_a_reading_is_one_line_with_its_tags_in_order() -> None:
    lines, refused = encoder().rows(heap([[10, 20, 4096, 1024]]))
    assert lines == [
        r"memfleet_heap,device=esp-1,fleet=demo,heap=internal\,\ 8bit,platform=esp32 "
        f"free=4096i,largest_free=1024i,boot=1i,uptime=5020i {T0 + 10}"
    ]
    assert refused == []


def test_what_is_unknown_is_absent() -> None:
    lines, _ = encoder().rows(block("heap", ("a%d",), ("free", "used"), [0, None, None, 3], [1, 1, 2, None]))
    assert [parse(line)[2] for line in lines] == [
        (("used", 3), ("boot", 1)),
        (("free", 2), ("boot", 1), ("uptime", 8)),
    ]
    assert parse(lines[0])[1][2] == ("heap", "a%d")


def test_flags_and_resolution_are_fields_where_they_say_something() -> None:
    (line,), _ = encoder().rows(block("heap", ("k",), ("free",), [0, 0, 1], flags=5, resolution=1024))
    assert "boot=1i,flags=5i,resolution=1024i,uptime=7i" in line


def test_firmware_and_board_are_tags_of_device_and_event_alone() -> None:
    for kind, names in (("device", ()), ("event", ("boot",)), ("log", ()), ("heap", ("k",)), ("agent", ())):
        field = {"log": "text", "heap": "free", "agent": "ports"}.get(
            kind, "reset_reason" if kind == "device" else "size"
        )
        value = "x" if field in KINDS[kind].texts or kind == "log" else 1
        (line,), _ = encoder().rows(block(kind, names, (field,), [0, 0, value]))
        tags = dict(parse(line)[1])
        assert ("firmware" in tags, "board" in tags) == ((kind in ("device", "event"),) * 2), line
    assert "firmware" in dict(parse(encoder().finding(finding()))[1])


def test_a_device_says_its_own_uptime_and_firmware() -> None:
    (line,), _ = encoder().rows(block("device", (), ("uptime", "firmware"), [0, 0, 99, "2.0"]))
    _, tags, fields, _ = parse(line)
    assert dict(tags)["firmware"] == "2.0"
    assert dict(tags)["board"] == "devkit c"
    assert fields == (("boot", 1), ("uptime", 99))


def test_each_field_of_an_event_has_one_type_whatever_is_sent() -> None:
    fields = ("size", "reason", "extra", "count", "caller")
    lines, _ = encoder().rows(
        block("event", ("panic",), fields, [0, 0, 1, "why", "text", 5, None], [1, 1, "s", 2, 3, None, "f()"])
    )
    first, second = (dict(parse(line)[2]) for line in lines)
    assert first == {"size": 1, "reason": "why", "extra_text": "text", "count_": 5, "boot": 1, "uptime": 7}
    assert second == {"size_text": "s", "reason_number": 2, "extra": 3, "caller": "f()", "boot": 1, "uptime": 8}


def test_numbers_only_leaves_texts_out_and_counts_events_and_logs() -> None:
    numbers = encoder(numbers_only=True)
    (event,), _ = numbers.rows(block("event", ("panic",), ("size", "reason"), [0, 0, 5, "why"]))
    (log,), _ = numbers.rows(block("log", (), ("level", "text"), [0, 0, "W", "hot"]))
    assert parse(event)[2] == (("size", 5), ("count", 1), ("boot", 1), ("uptime", 7))
    assert parse(log)[2] == (("count", 1), ("boot", 1), ("uptime", 7))
    assert '"' not in numbers.finding(finding())


def test_a_finding_is_a_verdict_of_floats() -> None:
    line = encoder().finding(
        finding(numbers={"slope": 1536.25, "state": 3.0, "never": float("inf"), "none": float("nan")})
    )
    measurement, tags, fields, time = parse(line)
    assert (measurement, time) == ("memfleet_verdict", T0)
    assert dict(tags) == {
        "device": "esp-1", "fleet": "demo", "platform": "esp32", "rule": "leak", "severity": "critical",
        "firmware": "1.4.2", "kind": "heap", "heap": "internal",
    }  # fmt: skip
    assert dict(fields) == {"state": 1.0, "slope": 1536.25, "state_": 3.0, "reason": finding().reason}
    assert parse(encoder().finding(finding("resolved")))[2][0] == ("state", 0.0)


def test_an_incident_is_one_point_at_its_beginning_and_ends_in_it() -> None:
    told = Incident(
        "leak|x@1000", "firing", "leak", "warning", 1000, 4000, 2, 2, "d-1", "d-2", "grows", "heap", ("a b",)
    )
    over = msgspec.structs.replace(told, status="resolved", at_ms=9000, firing=0)
    key = "memfleet_incident,device=d-1,fleet=demo,heap=a\\ b,kind=heap,rule=leak "
    first, last = encoder().incident(told), encoder().incident(over)
    assert first == key + (
        'open=1i,devices=2i,firing=2i,key="leak|x@1000",severity="warning",worst="d-2",reason="grows",'
        'platform="",firmware="" 1000'
    )
    assert last.startswith(key + "open=0i,devices=2i,firing=0i,")
    assert last.endswith(",end_ms=9000i 1000")
    assert encoder(numbers_only=True).incident(over) == key + "open=0i,devices=2i,firing=0i 9000"


def test_a_new_description_makes_new_keys() -> None:
    texts = {"platform": "zephyr"}
    changing = Encoder("demo", "m_", lambda device: About(device, 1, texts))
    assert "platform=zephyr" in changing.rows(counting(1))[0][0]
    texts["platform"] = "esp32"
    assert "platform=zephyr" in changing.rows(counting(1))[0][0]
    changing.forget("esp-1")
    assert "platform=esp32" in changing.rows(counting(1))[0][0]


@pytest.mark.parametrize(
    "name", ["end\\", "a\\,b", "a\\ b", "a\\=b", "a\\\\b", "line\nbreak", "tab\t", "\x85", "\u2028"]
)
def test_names_without_an_escape_are_refused_not_bent(name: str) -> None:
    lines, refused = encoder().rows(heap([[0, 0, 1, 1], [1, 1, 2, 2]], name=name))
    assert lines == []
    assert len(refused) == 2
    assert all("line protocol has no escape" in reason for _, reason in refused)


@given(st.text(min_size=1, max_size=30))
def test_any_name_comes_back_as_it_was_or_is_refused(name: str) -> None:
    try:
        escaped = escape_tag(name)
    except UnsafeTagError:
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]", name)
        return
    (point,) = [parse(f"m,a={escaped},z=1 {escaped}=1i 5")]
    assert point == ("m", (("a", name), ("z", "1")), ((name, 1),), 5)


@given(st.text(max_size=60))
def test_any_text_comes_back_as_it_was_but_for_line_breaks(text: str) -> None:
    line = f"m a={quote(text)},b=1i 5"
    assert len(line.split("\n")) == 1
    assert parse(line)[2] == (("a", text.replace("\n", "\\n").replace("\r", "\\r")), ("b", 1))


_values = st.none() | st.integers(-(2**63), 2**63 - 1)
_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"), max_size=20)


@given(
    names=st.tuples(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)),
    fields=st.lists(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda n: n not in RESERVED | {"type"}),
        min_size=1, max_size=4, unique=True,
    ),
    data=st.data(),
)  # fmt: skip
def test_lines_are_points_one_for_one_whatever_an_event_holds(
    names: tuple[str], fields: list[str], data: st.DataObject
) -> None:
    row = st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9), *[_values | _texts] * len(fields)).map(list)
    rows = data.draw(st.lists(row, min_size=1, max_size=4))
    lines, refused = encoder().rows(block("event", names, tuple(fields), *rows))
    assert len(lines) + len(refused) == len(rows)
    points = [parse(line) for line in "\n".join(lines).split("\n")] if lines else []
    assert len(points) == len(lines)
    for (measurement, tags, values, time), source in zip(points, rows, strict=not refused):
        assert (measurement, time) == ("memfleet_event", T0 + source[0])
        assert dict(tags).get("type", "") == names[0]
        given_values = [v.replace("\n", "\\n") if isinstance(v, str) else v for v in source[2:] if v is not None]
        assert [v for n, v in values if n not in ("boot", "uptime")] == given_values
