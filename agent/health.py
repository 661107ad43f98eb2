"""Whether a console can be read at all: silent, or garbage as at a wrong speed. Each is said once, and its end too."""

from __future__ import annotations

SILENT_MS = 60_000
SAMPLE_BYTES = 512
_GARBAGE_SHARE = 0.3
_CLEAN_SHARE = 0.05
_TEXT = bytes([*b"\t\n\r\x1b", *range(0x20, 0x7F)])


def unprintable_share(data: bytes) -> float:
    """Share of bytes that console text does not hold. UTF-8 counts as text: emoji and box drawings are printed."""
    foreign = len(data.translate(None, _TEXT))
    if not foreign:
        return 0.0
    decoded = data.decode("utf-8", "ignore")
    control = sum(1 for letter in decoded if not letter.isprintable() and letter not in "\t\n\r\x1b")
    return (len(data) - len(decoded.encode()) + control) / len(data)


class Health:
    """One console's state. Give it what comes and the time; it gives the events to tell, as (type, sentence)."""

    def __init__(self, port: str, baud: int, time_ms: int) -> None:
        self._port, self._baud = port, baud
        self._heard_ms = time_ms
        self._sample = b""
        self._silent = False
        self._garbage = False

    def feed(self, data: bytes, time_ms: int) -> list[tuple[str, str]]:
        """Bytes came."""
        self._heard_ms = time_ms
        told = []
        if self._silent:
            self._silent = False
            told.append(("console_heard", f"{self._port}: prints again"))
        self._sample += data
        if len(self._sample) >= SAMPLE_BYTES:
            told += self._judge(unprintable_share(self._sample))
            self._sample = b""
        return told

    def tick(self, time_ms: int) -> list[tuple[str, str]]:
        """Time passed, with the port open."""
        if self._silent or time_ms - self._heard_ms < SILENT_MS:
            return []
        self._silent = True
        return [
            (
                "console_silent",
                f"{self._port}: open, but not a byte for {SILENT_MS // 1000} s: is the board powered, and is this its "
                "console?",
            )
        ]

    def opened(self, time_ms: int) -> None:
        """The port was opened: its silence begins anew."""
        self._heard_ms = time_ms
        self._sample = b""

    def _judge(self, share: float) -> list[tuple[str, str]]:
        if not self._garbage and share > _GARBAGE_SHARE:
            self._garbage = True
            return [
                (
                    "console_garbage",
                    f"{self._port}: prints garbage at {self._baud} bits a second; common speeds are 115200, 921600, "
                    "74880 (ESP8266's boot ROM) and 9600",
                )
            ]
        if self._garbage and share < _CLEAN_SHARE:
            self._garbage = False
            return [("console_readable", f"{self._port}: prints text again")]
        return []
