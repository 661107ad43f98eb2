"""What holds for every test: Hypothesis' profiles, the terminal's size, the order. A server that is missing fails
its tests (`tests/servers.py`).

A run of the tests tries the same inputs each time, however slow the machine is; `make fuzz` draws new ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from memfleet.program import ALGEBRA_THREADS

_ANY_PACE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("test", _ANY_PACE, max_examples=50, derandomize=True, database=None)
settings.register_profile("fuzz", _ANY_PACE, max_examples=500)
settings.load_profile("test")

os.environ.update(COLUMNS="80", LINES="24")  # whatever terminal the tests are run in
os.environ.setdefault(ALGEBRA_THREADS, "1")  # as every program does; no test has imported NumPy yet


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what looks at the whole project: it takes longest, and the last file of all is waited for alone."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
