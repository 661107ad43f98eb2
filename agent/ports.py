"""All consoles of an agent, read by one thread that moves bytes; what they mean is decided elsewhere.

A port that is missing, taken, unplugged or refuses is said once and tried again; nothing here ends the agent.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import selectors
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from agent.config import Port
from agent.control import Control
from agent.haste import Haste
from agent.inputs import REMOTE, Input, open_input, open_trouble
from agent.inputs.messages import Chunk, Notice
from agent.inputs.polled_command import PolledCommand
from agent.relay import Relay
from telemetry.clock import monotonic_ms, wall_ms
from telemetry.errors import EnvironmentFault

__all__ = ["Chunk", "Notice", "Ports"]

_LOG = logging.getLogger("memfleet.agent")

QUEUE = 4_096
RETRY_MS = 1_000
OPENERS = 4
"""Ports behind a network that are opened at the same time."""
LOOK_MS = 200
"""How often inputs without a descriptor to wait for are asked, and the longest wait."""
GATHER_S = 0.01
"""After each look bytes may gather for so long: fewer, larger reads. A kernel's 4 KiB last 40 ms at 921,600 baud."""
SHARE = 16
"""Reads of a long file in one round: the others get their turn in between."""
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV)
RELAY_MS = 30
"""How often somebody at a relay is listened to."""

_Told = Chunk | Notice


class Ports:
    """Reads all ports in one thread of its own. `get` gives what came; `wake` becomes readable when something did.

    `directory` holds the relays (`relay/<device>`) and the control socket (`control`); without one there are none.
    `places` says how far files were read before, by their ports.
    """

    def __init__(
        self,
        ports: Sequence[Port],
        now_ms: Callable[[], int] = wall_ms,
        directory: Path | None = None,
        places: Mapping[str, str] | None = None,
    ) -> None:
        self._ports = {port.port: port for port in ports}
        self._now_ms = now_ms
        self._queue: queue.Queue[_Told] = queue.Queue(QUEUE)
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._inputs: dict[str, Input] = {}
        self._openers = ThreadPoolExecutor(OPENERS, "opener")
        self._opening: dict[str, Future[Input]] = {}
        self._places = dict(places or {})
        self._said: dict[str, str] = {}  # the last trouble of each port, empty: it is open
        self._ended: set[str] = set()
        self._released: set[str] = set()
        self._asked: dict[str, int] = {}
        self._haste = Haste()
        self._relays = _relays(ports, directory / "relay") if directory is not None else {}
        self._control = self._open_control(directory) if directory is not None and ports else None
        self._stop = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="ports", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def get(self) -> list[_Told]:
        """Everything that has come since the last call, in order. What ended the thread ends its owner, too: an agent
        that hears nothing and runs on would be started again by nobody."""
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                pass
        told: list[_Told] = []
        with contextlib.suppress(queue.Empty):
            while True:
                told.append(self._queue.get_nowait())
        return told

    def hurry(self, haste: Haste) -> None:
        """Ask some devices more often for a while (monotonic time): those with a prompt, or behind a command."""
        self._haste = haste

    @property
    def trouble(self) -> dict[str, str]:
        """Ports that cannot be read now, with the reason."""
        return {name: trouble for name, trouble in dict(self._said).items() if trouble}

    @property
    def opened(self) -> set[str]:
        """Ports that are being read. What a board prints before its port is opened is lost, as with any terminal."""
        return set(self._inputs)

    @property
    def ended(self) -> bool:
        """Whether every input has come to an end (standard input closed); serial ports and files never do."""
        return len(self._ended) == len(self._ports)

    def close(self) -> None:
        """Stop reading and let go of the ports."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._move()
        except Exception as error:
            self._fault = error

    def _move(self) -> None:
        next_try = next_look = 0
        while not self._stop.is_set():
            now = monotonic_ms()
            if now >= next_try:
                next_try = now + RETRY_MS
                self._open_missing()
            if now >= next_look:
                next_look = now if self._look() else now + LOOK_MS
                self._ask(now)
            for name, relay in self._relays.items():
                self._write(name, relay.take())
            self._read_ready(next_look - now)
        self._let_go()

    def _read_ready(self, wait_ms: int) -> None:
        ready = self._selector.select(min(wait_ms, RELAY_MS if self._relays else LOOK_MS) / 1000)
        for key, _ in ready:
            key.data()
        if ready:
            self._stop.wait(GATHER_S)

    def _look(self) -> bool:
        """Ask the inputs that cannot be waited for; True when one of them has more than its share."""
        more = False
        for name, opened in list(self._inputs.items()):
            if opened.polled:
                more = all(self._read(name) for _ in range(SHARE)) or more
        return more

    def _open_missing(self) -> None:
        for name, port in self._ports.items():
            if name in self._inputs or name in self._ended or name in self._released:
                continue
            try:
                opened = self._opened(port)
            except (OSError, ValueError, NotImplementedError) as error:  # pyserial's own errors are OSErrors
                self._say(name, open_trouble(name, error))
                continue
            if opened is None:
                continue
            if not opened.polled:
                try:
                    self._selector.register(opened.fileno(), selectors.EVENT_READ, lambda name=name: self._read(name))
                except OSError as error:  # what cannot be waited for is no console
                    opened.close()
                    self._say(name, open_trouble(name, OSError(f"it cannot be waited for: {error.strerror}")))
                    continue
            self._inputs[name] = opened
            self._say(name, "")
            self._tell(Notice(name, "opened", "", self._now_ms()))

    def _opened(self, port: Port) -> Input | None:
        """An open input; None while one behind a network is being opened, so that it does not hold the others."""
        if not port.port.startswith(REMOTE):
            return open_input(port, self._places.get(port.port, ""))
        opening = self._opening.get(port.port)
        if opening is None:
            self._opening[port.port] = self._openers.submit(open_input, port)
        if opening is None or not opening.done():
            return None
        return self._opening.pop(port.port).result()

    def _read(self, name: str) -> bool:
        """Read what is there; False when there was nothing."""
        opened = self._inputs.get(name)
        if opened is None:
            return False
        try:
            data = opened.read()
        except OSError as error:
            why = _why_lost(error)
            self._lose(name, "lost", why)
            self._say(name, f"{name}: lost ({why})")
            return False
        if data:
            if name in self._relays:  # first: who comes after it was told is not to see it
                self._relays[name].give(data)
            self._places[name] = opened.place
            self._tell(Chunk(name, data, self._now_ms(), opened.place))
        elif opened.ended:
            self._drop(name)
            self._ended.add(name)
        self._say(name, opened.trouble and f"{name}: {opened.trouble}")
        return bool(data)

    def _write(self, name: str, data: bytes) -> None:
        opened = self._inputs.get(name)
        if not data or opened is None:
            return
        try:
            opened.write(data)
        except OSError as error:
            _LOG.warning("%s: %s", name, error)

    def _ask(self, now: int) -> None:
        """Send the commands whose time has come."""
        for name, opened in self._inputs.items():
            port = self._ports[name]
            period_ms = self._haste.period_ms(port.device, port.every_s * 1000, now)
            if isinstance(opened, PolledCommand):
                opened.every_s = period_ms / 1000
            if port.ask and now - self._asked.get(name, -period_ms) >= period_ms:
                self._asked[name] = now
                for words in port.ask:
                    self._write(name, words.encode() + b"\r")

    def _lose(self, name: str, what: str, text: str) -> None:
        if name in self._inputs:
            self._drop(name)
            self._tell(Notice(name, what, text, self._now_ms()))

    def _drop(self, name: str) -> None:
        opened = self._inputs.pop(name)
        if not opened.polled:
            with contextlib.suppress(OSError, KeyError, ValueError):  # its descriptor may be gone already
                self._selector.unregister(opened.fileno())
        with contextlib.suppress(OSError):
            opened.close()

    def _release(self, name: str) -> None:
        self._released.add(name)
        self._lose(name, "released", "")
        self._say(name, f"{name}: released to another program")

    def _take_back(self, name: str) -> None:
        self._released.discard(name)
        self._open_missing()

    def _open_control(self, directory: Path) -> Control | None:
        names = {port.device: name for name, port in self._ports.items()} | {name: name for name in self._ports}
        try:
            return Control(directory / "control", self._selector, names, self._release, self._take_back)
        except OSError as error:
            _LOG.warning("%s: no control socket (%s); `memfleet release` will not work", directory, error)
            return None

    def _tell(self, told: _Told) -> None:
        """Hand over; while the other thread is behind, wait: the kernel's buffers hold a little, the rest is lost."""
        while not self._stop.is_set():
            try:
                self._queue.put(told, timeout=LOOK_MS / 1000)
                break
            except queue.Full:
                continue
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self._waker.send(b"\0")

    def _say(self, name: str, trouble: str) -> None:
        if self._said.get(name) != trouble:
            _LOG.log(logging.WARNING if trouble else logging.INFO, trouble or f"{name}: open")
            self._said[name] = trouble

    def _let_go(self) -> None:
        for name in list(self._inputs):
            self._drop(name)
        for relay in self._relays.values():
            relay.close()
        if self._control is not None:
            self._control.close()
        self._selector.close()
        self._openers.shutdown(wait=False, cancel_futures=True)


def _relays(ports: Sequence[Port], folder: Path) -> dict[str, Relay]:
    relays = {}
    for port in ports:
        try:
            if port.relay:
                relays[port.port] = Relay(folder / port.device)
        except EnvironmentFault as fault:
            _LOG.warning("%s: read without a relay: %s", port.port, fault)
    return relays


def _why_lost(error: OSError) -> str:
    """What the system calls an input/output error, or no such device, is an adapter that was pulled."""
    return "the device is gone" if error.errno in _GONE else error.strerror or str(error)
