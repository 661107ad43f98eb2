"""Order and filter of the fleet."""

from __future__ import annotations

from dataclasses import replace

from collector.series.rows import AlertRow, DeviceRow
from collector.web.fleet import build_fleet, fullness, left_ms, memory_ends_ms

_DEVICE = DeviceRow("d", "esp32", "board", "1.0", "gateway", "ok", 10, 100, "heap", 0, 1, 1, 1)
_ALERT = AlertRow("k", "k@1", "firing", "leak", "critical", "d", "esp32", "1.0", "heap", (), 1, 1, "why", {}, 0, "", 0)


def test_worst_first() -> None:
    devices = [
        replace(_DEVICE, device="b-fine"),
        replace(_DEVICE, device="a-fine"),
        replace(_DEVICE, device="fuller", used=90),
        replace(_DEVICE, device="silent", state="silent"),
        replace(_DEVICE, device="later", state="critical"),
        replace(_DEVICE, device="sooner", state="critical"),
        replace(_DEVICE, device="warned", state="warning"),
    ]
    alerts = [
        replace(_ALERT, device="later", numbers={"leak_hours_left": 9.0}),
        replace(_ALERT, device="sooner", numbers={"leak_hours_left": 2.0}),
    ]
    order = [device.device for device in build_fleet(devices, alerts).devices]
    assert order == ["sooner", "later", "warned", "silent", "fuller", "a-fine", "b-fine"]


def test_the_forecast_that_ends_first_is_worst_whenever_it_was_told() -> None:
    devices = [replace(_DEVICE, device=name, state="critical") for name in ("new", "old")]
    old = replace(_ALERT, device="old", numbers={"leak_hours_left": 9.0})
    new = replace(_ALERT, device="new", numbers={"leak_hours_left": 5.0}, at_ms=old.at_ms + 6 * 3_600_000)
    fleet = build_fleet(devices, [new, old])
    assert [device.device for device in fleet.devices] == ["old", "new"]
    assert memory_ends_ms(fleet.worst["old"]) == old.at_ms + 9 * 3_600_000


def test_a_forecast_is_due_at_its_time_but_not_after_a_restart_and_that_of_several_boots_was_for_one_of_them() -> None:
    once = replace(_ALERT, numbers={"leak_hours_left": 2.0})
    each_boot = replace(once, numbers={"leak_hours_left": 2.0, "leak_boots": 6.0})
    hour = 3_600_000
    assert [left_ms(alert, once.at_ms + hour) for alert in (once, each_boot, _ALERT, None)] == [hour, hour, None, None]
    assert [left_ms(alert, once.at_ms + 3 * hour) for alert in (once, each_boot)] == [-hour, None]
    assert left_ms(replace(once, restarts=1), once.at_ms + hour) is None


def test_devices_are_found_by_their_labels_and_by_what_people_are_told_of_them() -> None:
    devices = [replace(_DEVICE, device="a", texts={"site": "Ulm"}), replace(_DEVICE, device="b", note="muted")]
    fleet = build_fleet(devices, [])
    assert [device.device for device in fleet.select("site=ulm esp32")] == ["a"]
    assert [device.device for device in fleet.select("muted")] == ["b"]
    assert fleet.select("site=bonn") == []


def test_nearly_the_same_fill_keeps_the_order_by_name() -> None:
    devices = [replace(_DEVICE, device="b", used=33), replace(_DEVICE, device="a", used=31)]
    assert [device.device for device in build_fleet(devices, []).devices] == ["a", "b"]


def test_the_worst_alert_is_shown_and_an_acknowledged_one_only_alone() -> None:
    warning = replace(_ALERT, severity="warning", reason="warning")
    seen = replace(_ALERT, reason="seen", acknowledged_ms=5)
    assert build_fleet([_DEVICE], [warning, _ALERT]).worst["d"].reason == "why"
    assert build_fleet([_DEVICE], [seen, warning]).worst["d"].reason == "warning"
    assert build_fleet([_DEVICE], [seen]).worst["d"].reason == "seen"


def test_every_word_has_to_be_found() -> None:
    fleet = build_fleet([_DEVICE, replace(_DEVICE, device="kitchen", firmware="2.0")], [])
    assert [device.device for device in fleet.select("KIT 2.0")] == ["kitchen"]
    assert fleet.select("kit 1.0") == []
    assert len(fleet.select("")) == 2


def test_no_limit_is_no_share() -> None:
    assert fullness(replace(_DEVICE, limit=None)) is None
    assert fullness(replace(_DEVICE, used=None)) is None
    assert fullness(_DEVICE) == 0.1
