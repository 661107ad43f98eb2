"""One seeded data directory with a page on it, shared by the tests that only look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from telemetry.clock import wall_ms
from tests.collector.web.seeding import Collector, seed_fleet
from tests.collector.web.server import client_of, page_process


@dataclass(frozen=True)
class Running:
    """A page, what feeds it, and a client of it."""

    collector: Collector
    http: httpx.Client
    seeded_ms: int


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory: Path = tmp_path_factory.mktemp("seeded")
    collector = Collector(directory)
    now_ms = wall_ms()
    seed_fleet(collector, now_ms, others=9)
    collector.refuse("underflow", b"\x91\x00refused")
    collector.refuse("crc", b"\x00")
    with page_process(directory) as address, client_of(address) as http:
        yield Running(collector, http, now_ms)
    collector.close()
