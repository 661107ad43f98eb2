"""The small messages beside the frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import WireError
from telemetry.messages import Ack, Command, Status, decode, encode

MESSAGES = [
    Status(online=True, epoch=2**63 - 1, version="0.1.0"),
    Status(online=False, epoch=0),
    Ack(epoch=1, contig=2, anchors={"3f2a": 1795000000000}),
    Command(until_ms=5, interval_s=0.5, log_devices=["a"]),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written(message: Status | Ack | Command) -> None:
    assert decode(encode(message), type(message)) == message


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode(b'{"online": true, "epoch": 1, "mood": "good"}', Status) == Status(online=True, epoch=1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"epoch": 1}',
        b'{"epoch": -1, "contig": 1}',
        b'{"epoch": 9223372036854775808, "contig": 1}',
        b'{"epoch": 1, "contig": 1, "anchors": {"a": 9223372036854775808}}',
        b'{"epoch": 1, "contig": 1, "anchors": {"\xff": 1}}',
        b'{"epoch": 1, "contig": 1, "x": ' + b"[" * 100_000,
    ],
    ids=range(9),
)
def test_what_is_no_message_is_a_wire_error(payload: bytes) -> None:
    with pytest.raises(WireError, match="message"):
        decode(payload, Ack)


def test_a_version_is_no_place_to_put_a_book() -> None:
    with pytest.raises(WireError, match="version"):
        decode(encode(Status(online=True, epoch=1, version="1" * 101)), Status)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_wire_error(payload: bytes) -> None:
    for kind in (Status, Ack, Command):
        try:
            assert isinstance(decode(payload, kind), kind)
        except WireError as error:
            assert error.reason == "message"  # noqa: PT017 - either outcome is right, no third is
