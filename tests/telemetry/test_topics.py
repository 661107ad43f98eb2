"""Topics: the identity of who speaks."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import UsageError, WireError
from telemetry.topics import CHANNELS, Topic, is_name, require_name, shard_of, subscriptions

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)


@given(NAMES, NAMES, st.sampled_from(CHANNELS))
def test_a_topic_is_read_as_it_was_written(fleet: str, agent: str, channel: str) -> None:
    topic = Topic.of(fleet, agent, channel)
    assert Topic.parse(str(topic)) == topic
    assert str(topic) == f"memfleet/1/{fleet}/{topic.shard}/{agent}/{channel}"


@given(st.text(max_size=100) | st.lists(NAMES | st.just("frame"), max_size=8).map("/".join))
def test_any_text_is_a_topic_or_a_wire_error(text: str) -> None:
    try:
        assert str(Topic.parse(text)) == text
    except WireError as error:
        assert error.reason == "topic"  # noqa: PT017 - either outcome is right, no third is


SHARD = shard_of("gw")


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"memfleet/1/f/{SHARD}/gw",
        f"memfleet/1/f/{SHARD}/gw/frame/more",
        f"memfleet/2/f/{SHARD}/gw/frame",
        f"other/1/f/{SHARD}/gw/frame",
        f"memfleet/1/f/{SHARD}/gw/secret",
        f"memfleet/1/f/{SHARD}/../frame",
        f"memfleet/1//{SHARD}/gw/frame",
        f"memfleet/1/f/{SHARD}/gw\n/frame",
        f"memfleet/1/f/{int(SHARD, 16) ^ 1:02x}/gw/frame",
    ],
)
def test_a_topic_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="topic"):
        Topic.parse(text)


def test_shards_are_two_hex_digits_of_the_names_checksum() -> None:
    assert shard_of("gw") == f"{zlib.crc32(b'gw') & 0xFF:02x}"
    assert len({shard_of(f"agent-{number}") for number in range(5000)}) == 256


def test_subscriptions_cover_all_shards_or_those_named() -> None:
    assert subscriptions("f", None, "frame") == ["memfleet/1/f/+/+/frame"]
    assert subscriptions("f", ["00", "7f"], "status") == ["memfleet/1/f/00/+/status", "memfleet/1/f/7f/+/status"]


@pytest.mark.parametrize("text", ["", "-a", ".a", "a/b", "a b", "+", "#", "é", "a" * 65, "a\n", 5, None])
def test_what_may_not_name_anything(text: object) -> None:
    assert not is_name(text)


def test_a_wrong_name_says_what_may_be_used() -> None:
    assert require_name("a" * 64, "device") == "a" * 64
    with pytest.raises(UsageError, match=r"device 'a b': use letters, digits"):
        require_name("a b", "device")
