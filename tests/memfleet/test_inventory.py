"""Inventories as CSV."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memfleet.inventory import parse_inventory, read_inventory
from telemetry.errors import ConfigError


def test_columns_are_device_agent_and_labels(tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    file.write_bytes('\ufeffDevice,site,Agent,ring\nd1,"Lyon, hall 2",gw-1,beta\n\nd2,,,\n'.encode())
    assert read_inventory(file) == [
        {"device": "d1", "agent": "gw-1", "labels": {"site": "Lyon, hall 2", "ring": "beta"}},
        {"device": "d2", "agent": "", "labels": {}},
    ]


def test_every_fault_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_inventory("device,agent\na b,\nd1,\nd1,\nd2,no good\n", "f.csv")
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["line 2", "line 4", "line 5"]


@pytest.mark.parametrize(
    "text", ["", "name,site\nd1,x\n", "device,device\n", "device\n", 'device\n"d1', "device,\nd1,x\n"]
)
def test_what_is_no_inventory_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_inventory(text, "f.csv")


@given(st.text(max_size=200))
def test_whatever_the_file_holds_there_is_a_list_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert all(one["device"] for one in parse_inventory(text, "f.csv"))


def test_a_quote_without_end_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"f\.csv: line 3: is not CSV: "):
        parse_inventory('device,site\nd1,Lyon\nd2,"Ulm\nd3,Graz\n', "f.csv")


def test_a_text_with_a_comma_is_not_cut() -> None:
    with pytest.raises(ConfigError, match="line 3: 3 cells under 2 columns; a comma within a text wants quotes"):
        parse_inventory("device,site\nd1,Lyon\nd2,Halle 3, K\u00f6ln\n", "f.csv")
    (one,) = parse_inventory('device,site\nd1,"Halle 3, K\u00f6ln"\n', "f.csv")
    assert one["labels"] == {"site": "Halle 3, K\u00f6ln"}
    assert parse_inventory("device,site\nd1,Lyon,\n", "f.csv"), "spreadsheets leave empty cells"
