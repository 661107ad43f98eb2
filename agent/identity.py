"""Names of serial ports that stay: by-id where the adapter has a serial number of its own, by-path else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEV = Path("/dev")
_NO_SERIAL = frozenset(("", "0", "0001", "00000000", "123456", "1234567890"))
"""Serial numbers that whole production runs share."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A serial port as the system knows it: `device` is its node, `serial` its USB serial number."""

    device: str
    vendor: int | None
    product: int | None
    serial: str
    description: str


def adapters() -> list[Adapter]:
    """The USB serial ports that are plugged in now."""
    from serial.tools.list_ports import comports

    return [
        Adapter(port.device, port.vid, port.pid, port.serial_number or "", port.description)
        for port in sorted(comports())
        if port.vid is not None
    ]


def stable_name(adapter: Adapter, others: Sequence[Adapter], dev: Path = DEV) -> str:
    """A path that leads to this board tomorrow, too; its node when udev made no links.

    By-id is trusted only when nothing else plugged in has the same maker, product and serial number: two adapters
    without one share a by-id link, which leads to whichever was plugged in last.
    """
    twins = [
        one
        for one in others
        if one.device != adapter.device
        and (one.vendor, one.product, one.serial) == (adapter.vendor, adapter.product, adapter.serial)
    ]
    unique = adapter.serial not in _NO_SERIAL and not twins
    for folder in ("by-id", "by-path") if unique else ("by-path",):
        links = sorted((dev / "serial" / folder).glob("*")) if (dev / "serial" / folder).is_dir() else []
        for link in links:
            if link.resolve() == Path(adapter.device).resolve():
                return str(link)
    return adapter.device
