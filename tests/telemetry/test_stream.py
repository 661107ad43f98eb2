"""What comes from a broker, cut anywhere: messages are read, every other packet reaches paho whole and in its place."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import WireError
from telemetry.mqtt import Link, Message, Session
from telemetry.settings import Broker
from telemetry.stream import Packet, Published, Stream, read_publish

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
PINGRESP, SUBACK = b"\xd0\x00", b"\x90\x04\x00\x01\x00\x01"


def length(size: int) -> bytes:
    """A length as the standard writes it."""
    out = bytearray()
    while size >= 128:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes((*out, size))


def publish(message: Published, properties: bytes | None = None) -> bytes:
    """The PUBLISH packet of a message; of MQTT 5 when there are properties, empty ones too."""
    topic = message.topic.encode()
    number = struct.pack(">H", message.number) if message.number else b""
    more = b"" if properties is None else length(len(properties)) + properties
    body = struct.pack(">H", len(topic)) + topic + number + more + message.payload
    return bytes((0x30 | (2 if number else 0) | message.retained,)) + length(len(body)) + body


messages = st.builds(Published, TEXTS, st.binary(max_size=300), st.booleans(), st.integers(0, 65_535))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Stream]]:
    broker, ours = socket.socketpair()
    ours.setblocking(False)
    yield broker, Stream(ours)
    broker.close()
    ours.close()


@given(
    st.lists(messages | st.sampled_from([PINGRESP, SUBACK])), st.sampled_from([None, b"", b"\x01\x01" * 90]), st.data()
)
def test_packets_come_out_as_they_went_in_wherever_the_stream_is_cut(
    items: list[Published | bytes], properties: bytes | None, data: st.DataObject
) -> None:
    whole = b"".join(item if isinstance(item, bytes) else publish(item, properties) for item in items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    broker, ours = socket.socketpair()
    with broker, ours:
        ours.setblocking(False)
        stream = Stream(ours)
        packets: list[Packet] = []
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            broker.sendall(whole[start:end])
            stream.read()
            packets += stream.packets()
    seen = [read_publish(packet, mqtt5=properties is not None) or packet.data for packet in packets]
    more = b"" if properties is None else length(len(properties)) + properties
    assert seen == [item if isinstance(item, bytes) else item._replace(properties=more) for item in items]


@given(messages, st.booleans(), st.data())
def test_a_message_cut_short_is_no_message(message: Published, mqtt5: bool, data: st.DataObject) -> None:
    whole = publish(message, b"" if mqtt5 else None)
    content = whole[1 + next(index for index in range(1, 5) if whole[index] < 128) :]
    head = len(content) - len(message.payload)
    cut = content[: data.draw(st.integers(0, head - 1))]
    with pytest.raises(WireError):
        read_publish(Packet(whole[:1] + length(len(cut)) + cut, 2), mqtt5=mqtt5)


def test_acknowledgements_wait_for_one_write(pair: tuple[socket.socket, Stream]) -> None:
    broker, stream = pair
    for number in (1, 258):
        stream.acknowledge(number)
    assert stream.unsent
    stream.flush()
    assert broker.recv(100) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
    assert not stream.unsent


def test_what_the_broker_is_too_slow_for_is_kept(pair: tuple[socket.socket, Stream]) -> None:
    broker, stream = pair
    wanted = bytes(range(256)) * 8_000
    assert stream.send(wanted) == len(wanted)
    assert stream.unsent, "a socket does not take so much at once"
    got = b""
    while len(got) < len(wanted):
        got += broker.recv(2**20)
        stream.flush()
    assert got == wanted


def test_paho_hears_of_the_end_after_the_last_packet(pair: tuple[socket.socket, Stream]) -> None:
    broker, stream = pair
    broker.sendall(PINGRESP)
    broker.close()
    stream.read()
    for packet in stream.packets():
        stream.hand(packet)
    stream.read()
    assert [stream.recv(1), stream.recv(1), stream.recv(1)] == [PINGRESP[:1], PINGRESP[1:], b""]


class Nobody:
    """A handler that wants nothing."""

    def connected(self) -> None:
        raise AssertionError("nobody let us in")

    def received(self, message: Message) -> None:
        raise AssertionError(message)

    def published(self, number: int, failure: str) -> None:
        raise AssertionError(number)


def test_what_is_no_broker_is_told_and_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        link = Link(Broker(url=url), Session("me"), Nobody(), time.monotonic)
        link.step(0)
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"\x30\xff\xff\xff\xff\xff")
            while not link.trouble:
                link.step(1)
        assert link.trouble == f"broker {url} does not speak MQTT: a length of more than four bytes"
        assert not link.up
