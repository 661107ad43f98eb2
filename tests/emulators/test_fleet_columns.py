"""A fleet's readings as columns."""

from __future__ import annotations

import numpy as np

from emulators.columns import Series, columns_of
from emulators.config import FleetConfig, Group
from emulators.fleet import Fleet
from telemetry.readings import Reading


def test_columns_hold_every_number_of_every_reading() -> None:
    groups = [Group(name="meter", count=2, board="mt3620", workload="fast-leak", report_ms=1000)]
    fleet = Fleet.from_config(FleetConfig(groups=groups))
    items = [item for now in range(0, 120_001, 1000) for item in fleet.advance(now)]
    columns = columns_of(items)
    for series, one in columns.items():
        readings = [i for i in items if isinstance(i, Reading) and (i.device, i.kind, i.names) == series]
        assert one.time_ms.tolist() == [reading.time_ms for reading in readings]
        assert one.boot.tolist() == [reading.boot for reading in readings]
        for name, column in one.fields.items():
            assert column.tolist() == [float(reading.values[name]) for reading in readings]
    process = columns[Series("meter-001", "process", ())]
    assert process.boot[-1] > 1
    falls = np.diff(process.fields["peak_user_mode"]) < 0
    assert (np.diff(process.boot)[falls] > 0).all(), "the peak falls only with a restart"
    assert falls.any()


def test_a_field_that_some_readings_lack_is_not_a_number_there() -> None:
    values = [{"free": 5}, {"free": 4, "used": 1}, {"reason": "text"}]
    items = [Reading("one", "heap", ("system",), time, value) for time, value in enumerate(values)]
    (columns,) = columns_of(items).values()
    assert np.isnan(columns.fields["used"]).tolist() == [True, False, True]
    assert columns.uptime_ms.tolist() == [-1, -1, -1]
    assert "reason" not in columns.fields
