"""From a port's address to an open input, and from a failure to a sentence."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import socket
import stat

from agent.config import Port
from agent.inputs.followed_file import FollowedFile
from agent.inputs.input import Input
from agent.inputs.polled_command import PolledCommand
from agent.inputs.serial_port import SerialPort
from agent.inputs.syslog import Syslog
from agent.inputs.tcp import TcpConsole

REMOTE = ("socket:", "rfc2217:")
"""Addresses that may take seconds to open."""


_BY_TURN = re.compile(r"/dev/tty(USB|ACM)\d")
"""Names that are given in the order in which boards are plugged in."""
_NUMBERED = re.compile(r".*\[Errno -?\d+\] (?=\S)", re.S)
"""What libraries put before the words of the system: the address once more, and the number of the error."""


def open_input(port: Port, place: str = "") -> Input:
    """Open what the address names; a file goes on at its `place`. OSError (pyserial's errors are some) or ValueError
    when it cannot be."""
    address = port.port
    if address.startswith("syslog:"):
        return Syslog(address)
    if address.startswith(("command:", "azsphere:")):
        return PolledCommand(address, port.every_s)
    if address.startswith("socket:"):
        return TcpConsole(address)
    if address == "-" or (os.path.exists(address) and not stat.S_ISCHR(os.stat(address).st_mode)):
        if os.path.isdir(address):
            raise IsADirectoryError(f"{address} is a folder")
        return FollowedFile(address, place)
    return SerialPort(port)


def open_trouble(name: str, error: Exception) -> str:
    """Why a port cannot be opened, and what to do."""
    text = str(error)
    if isinstance(error, FileNotFoundError) or "No such file" in text:
        numbered = " (`memfleet ports` lists what is plugged in, by names that stay)" if _BY_TURN.match(name) else ""
        return f"{name}: no such port; waiting for it{numbered}"
    if isinstance(error, IsADirectoryError):
        return f"{name}: a folder is no console; name a port or a file in it (`memfleet ports` lists the ports)"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"{name}: permission denied; {_entry(name)}"
    if "Could not exclusively lock" in text or "busy" in text:
        return f"{name}: another program has it; close that, or give memfleet another port"
    if "Address already in use" in text:
        return f"{name}: another program listens there; choose another port number"
    if "Inappropriate ioctl" in text:
        return f"{name}: it is no serial port (`memfleet ports` lists them)"
    if isinstance(error, socket.gaierror):
        return f"{name}: no such host"
    return f"{name}: cannot be opened: {_NUMBERED.sub('', text).removeprefix(f'{name} ')}"


def _entry(path: str) -> str:
    """How a user is let in."""
    if path.startswith("syslog:"):
        return "ports below 1024 are root's; choose one above"
    with contextlib.suppress(OSError, KeyError):
        found = os.stat(path)
        group = grp.getgrgid(found.st_gid).gr_name
        if found.st_mode & stat.S_IRGRP and group != "root":
            return f"it is open to the group {group}: `sudo usermod -aG {group} $USER`, then log in again"
    return "ask its owner, or root, to let you read and write it"
