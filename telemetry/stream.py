"""The byte stream between paho and a broker: messages are taken out of it here, all else of MQTT is paho's.

paho reads a packet in four system calls, builds the table of all MQTT 5 properties for each message and writes each
acknowledgement by itself: two thirds of what a message cost at intake. So PUBLISH of QoS 0 and 1 is read here, out of
large reads, and PUBACK is written here, many in one write. To connect, subscribe, publish and keep alive stays paho's.

    packet  = type and flags u8, length, that many bytes    length = 7 bits a byte, least first, at most 4 bytes
    PUBLISH = 0x30 | flags: topic length u16, topic, number u16 (from QoS 1), length and properties (MQTT 5), payload
    PUBACK  = 0x40: number u16

Sections 2 and 3.3 of the OASIS standards MQTT 3.1.1 and MQTT 5.0.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from telemetry.errors import WireError

READ_BYTES = 256 * 1024
_PUBLISH, _PUBACK = 0x30, 0x40
_RETAINED = 0x01
_LENGTH_BYTES = 4
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Packet(NamedTuple):
    """A whole packet as it came; its content begins at `at`, behind type and length."""

    data: bytes
    at: int


class Published(NamedTuple):
    """What a PUBLISH packet says; `number` is 0 at QoS 0, `properties` (MQTT 5) are its bytes from their length on."""

    topic: str
    payload: bytes
    retained: bool
    number: int
    properties: bytes = b""


def read_publish(packet: Packet, *, mqtt5: bool) -> Published | None:
    """The message in a packet, None when it is another one or of QoS 2. WireError when it is cut short."""
    data, at = packet
    first = data[0]
    if first & 0xF0 != _PUBLISH or first & 0x04:
        return None
    number = 0
    try:
        end = at + 2 + (data[at] << 8 | data[at + 1])
        topic = data[at + 2 : end].decode("utf-8", "replace")
        if first & 0x02:
            number = data[end] << 8 | data[end + 1]
            end += 2
        content = end
        if mqtt5:
            length, content = _read_length(data, end)
            content += length
    except IndexError:
        raise WireError("mqtt", "a PUBLISH packet is cut short") from None
    if content > len(data):
        raise WireError("mqtt", "a PUBLISH packet is cut short")
    return Published(topic, data[content:], bool(first & _RETAINED), number, data[end:content])


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length that begins there, and where it ends. IndexError while it is not whole."""
    length = 0
    for index in range(_LENGTH_BYTES):
        byte = data[at + index]
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length, at + index + 1
    raise WireError("mqtt", "a length of more than four bytes")


class Stream:
    """A non-blocking socket, as far as paho is concerned; it sees the packets that it is handed and no others."""

    def __init__(self, sock: socket.socket) -> None:
        self.ended = False
        self._sock = sock
        self._received = bytearray()
        self._needed = 0
        self._handed = b""
        self._unsent = bytearray()

    # -- called by paho ------------------------------------------------------------------------------------------------

    def recv(self, buffer_size: int) -> bytes:
        """Bytes of the packet that was handed over; b"" when there will be no more."""
        if not self._handed and not self.ended:
            raise BlockingIOError
        data, self._handed = self._handed[:buffer_size], self._handed[buffer_size:]
        return data

    def send(self, buffer: bytes | bytearray) -> int:
        """Takes everything; what the broker is too slow for waits for `flush`."""
        self._unsent += buffer
        self.flush()
        return len(buffer)

    def fileno(self) -> int:
        """Of the socket, for select."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """As a socket's."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Send what still goes, and close."""
        self.flush()
        self._sock.close()

    # -- called by the link --------------------------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether TLS has read more from the socket than it has given us: select does not see that."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    @property
    def unsent(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._unsent)

    def read(self) -> None:
        """Take in what has come, once, without waiting."""
        try:
            data = self._sock.recv(READ_BYTES)
        except _NOT_NOW:
            return
        except OSError:
            data = b""
        self.ended = not data
        self._received += data

    def packets(self) -> Iterator[Packet]:
        """The packets that have come whole since the last call. WireError when these are no packets."""
        if len(self._received) < self._needed:
            return
        data, start = bytes(self._received), 0
        while True:
            try:
                length, content = _read_length(data, start + 1)
            except IndexError:
                self._needed = 0
                break
            if content + length > len(data):
                self._needed = content + length - start
                break
            yield Packet(data[start : content + length], content - start)
            start = content + length
        del self._received[:start]

    def hand(self, packet: Packet) -> None:
        """Give a packet to paho: its next reads find it."""
        self._handed += packet.data

    def acknowledge(self, number: int) -> None:
        """Tell the broker that the message of that number is safe, with the next `flush`."""
        self._unsent += bytes((_PUBACK, 2, number >> 8, number & 0xFF))

    def flush(self) -> None:
        """Send what the broker takes now. A broken connection shows in `ended`."""
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except _NOT_NOW:
            return
        except OSError:
            self.ended = True
            self._unsent.clear()
