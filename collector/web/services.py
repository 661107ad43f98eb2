"""What API and page are given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collector.config import CollectorConfig
from collector.web.desk import DeskBook
from collector.web.files import ReadOnlyFile
from collector.web.fleet import FleetView
from collector.web.status import Health

if TYPE_CHECKING:
    from collector.web.peers import (
        Peers,
    )  # which knows the form of all answers, and so of what is made by means of these


@dataclass(frozen=True, slots=True)
class Services:
    """One page process' means: the series and the quarantine to ask, the desk to write to.

    `slow_series` are the same series for questions that may take long: searches in logs, comparisons.
    """

    config: CollectorConfig
    directory: Path
    series: ReadOnlyFile
    slow_series: ReadOnlyFile
    quarantine: ReadOnlyFile
    fleet: FleetView
    health: Health
    desk: DeskBook
    peers: Peers
    now_ms: Callable[[], int]
