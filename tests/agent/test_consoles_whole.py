"""A whole log at once, as other programs ask for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import memfleet
from telemetry.errors import UsageError

LOG = "User memory: 36 KB.\nPeak user memory: 40 KB.\nTotal memory: 64 KB.\n"


@pytest.mark.parametrize("log", [LOG, LOG.encode()])
def test_text_and_bytes_say_the_same(log: str | bytes) -> None:
    [fact] = memfleet.parse(log)
    assert (fact.kind, fact.system) == ("process", "mt3620")
    assert fact.values == {"user_mode": 36864, "peak_user_mode": 40960, "total": 65536}


def test_a_system_that_does_not_exist_is_told() -> None:
    with pytest.raises(UsageError, match="choose one of mt3620"):
        memfleet.parse(LOG, "vms")


@given(st.text() | st.binary())
def test_no_log_breaks_it(log: str | bytes) -> None:
    memfleet.parse(log)
