"""From a port's address to an open input, and from a failure to a sentence."""

from __future__ import annotations

import os
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
        return f"{name}: no such port; waiting for it"
    if isinstance(error, IsADirectoryError):
        return f"{name}: a folder is no console; name a port or a file in it (`memfleet ports` lists the ports)"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"{name}: permission denied; add your user to the group that owns it (often dialout)"
    if "Could not exclusively lock" in text or "busy" in text:
        return f"{name}: another program has it; close that, or give memfleet another port"
    if "Address already in use" in text:
        return f"{name}: another program listens there; choose another port number"
    return f"{name}: cannot be opened: {text}"
