"""The other collectors whose incidents the page shows: does each answer, and does it take our token."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from collector.config import CollectorConfig
from collector.web.peers import Peers, Told
from memfleet.doctor.finding import Found
from telemetry.errors import ConfigError


def check_peers(config: CollectorConfig) -> Iterator[Found]:
    """Ask each for its incidents, as the page does."""
    try:
        peers = Peers(config)
    except ConfigError as error:
        for fault in error.faults:
            yield Found("peers", "wrong", fault, "the page does not start without it")
        return
    for told in asyncio.run(_ask(peers)):
        what = f"peer {told.peer}"
        if told.fault:
            advice = "its incidents are missing on our page: is it running, are address and token its own?"
            yield Found(what, "wrong", told.fault, advice)
        else:
            yield Found(what, "ok", f"it answers; incidents open there: {len(told.incidents)}")


async def _ask(peers: Peers) -> list[Told]:
    try:
        return await peers.incidents(active=True)
    finally:
        await peers.close()
