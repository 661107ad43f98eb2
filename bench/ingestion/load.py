"""The load: frames of fifty agents, sent over a raw socket, which costs next to nothing."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from telemetry.clock import monotonic_ms
from telemetry.topics import Topic
from telemetry.wire import Header, Rows, encode_body, seal

FLEET = "bench"
AGENTS = 50
FIELDS = ("size", "free", "used", "min_free")
WINDOW = 2_000


def frames(messages: int, rows: int, start_ms: int) -> Iterator[tuple[int, bytes]]:
    """(agent number, frame) pairs in sequence for every agent; each row is another instant of one of its heaps."""
    epoch = int.from_bytes(os.urandom(7), "big")
    for number in range(messages):
        agent, turn = number % AGENTS, number // AGENTS
        used = 20_000 + (turn * 37) % 60_000
        values = [163_840, 163_840 - used, used, 40_000]
        block = Rows(
            f"device-{agent}", 1, "heap", ("internal",), 0, 1, start_ms - 3_600_000 + turn * rows * 10,
            turn * rows * 10, FIELDS, [[i * 10, i * 10, *values] for i in range(rows)],
        )  # fmt: skip
        header = Header(epoch, turn + 1, 1, monotonic_ms())
        yield agent, seal(header, encode_body([block]))


class Publisher:
    """Speaks just enough MQTT 3.1.1 to send QoS 1 messages as fast as the broker takes them."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = b"bench-publisher"
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(client)) + client
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        if self._socket.recv(4)[3:] != b"\x00":
            raise SystemExit("the broker refused the publisher")
        self._topics = [str(Topic.of(FLEET, f"agent-{n}", "frame")).encode() for n in range(AGENTS)]
        self._sent = self._acked = 0
        self._rest = b""

    def send(self, agent: int, frame: bytes) -> None:
        """Send one message; waits only when the window of unacknowledged ones is full."""
        topic = self._topics[agent]
        body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", self._sent % 65_535 + 1) + frame
        self._socket.sendall(b"\x32" + _length(len(body)) + body)
        self._sent += 1
        while self._sent - self._acked >= WINDOW:
            self._read_acks()

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        while self._acked < self._sent:
            self._read_acks()

    def _read_acks(self) -> None:
        data = self._rest + self._socket.recv(65_536)
        self._acked += len(data) // 4  # a PUBACK is four bytes
        self._rest = data[len(data) - len(data) % 4 :]


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (128 if size else 0))
        if not size:
            return bytes(out)
