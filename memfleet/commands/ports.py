"""`memfleet ports`: which serial ports there are, and the names by which to configure them."""

from __future__ import annotations

import sys

from agent.identity import adapters, stable_name
from memfleet.options import JsonOption
from memfleet.tables import print_json, print_table


def command(as_json: JsonOption = False) -> None:
    """List the serial ports that are plugged in, each with a name that stays when boards are plugged in anew.

    The name is /dev/serial/by-id/... where the adapter has a serial number of its own, else /dev/serial/by-path/...,
    which means the socket that it is plugged into.

    [bold]Example:[/bold] memfleet ports
    """
    found = adapters()
    rows = [(stable_name(one, found), one.device, one.description) for one in found]
    if as_json:
        print_json([{"port": name, "device": device, "description": text} for name, device, text in rows])
        return
    print_table(("configure as", "now", "what it is"), rows, "No USB serial port is plugged in.")
    if any(name == device for name, device, _ in rows):
        sys.stderr.write("Ports without a lasting name: put deploy/udev/60-memfleet.rules into /etc/udev/rules.d.\n")
