"""Whose folder it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from collector.config import CollectorConfig, Page
from memfleet.adoption import adopted_settings, move_in, taken_over
from telemetry.errors import ConfigError, EnvironmentFault, UsageError
from telemetry.files import write_whole
from telemetry.settings import Broker

DEAD = CollectorConfig(fleet="plant", name="one", shards=("00", "01"))
LIVING = CollectorConfig(fleet="plant", name="other", shards=("02",), page=Page(port=8080))


def test_an_adopted_folder_keeps_its_name_and_shards_and_gets_our_surroundings(tmp_path: Path) -> None:
    move_in(DEAD, tmp_path)
    adopted = adopted_settings(LIVING, tmp_path, 1)
    assert (adopted.name, adopted.shards, adopted.data_dir) == ("one", ("00", "01"), str(tmp_path))
    assert (adopted.broker, adopted.page.port) == (LIVING.broker, 8081)
    assert adopted_settings(LIVING, tmp_path, 1) == adopted


def test_the_dead_one_that_returns_is_refused_its_folder(tmp_path: Path) -> None:
    move_in(DEAD, tmp_path)
    with taken_over(tmp_path, "other"):
        pass
    with pytest.raises(EnvironmentFault, match="was adopted by collector other"):
        move_in(DEAD, tmp_path)


def test_who_cannot_begin_has_taken_nothing_over(tmp_path: Path) -> None:
    move_in(DEAD, tmp_path)
    before = (tmp_path / "collector.json").read_bytes()
    with pytest.raises(UsageError, match="no rules"), taken_over(tmp_path, "other"):
        raise UsageError("no rules")
    assert (tmp_path / "collector.json").read_bytes() == before
    adopted_settings(LIVING, tmp_path, 1)
    assert (tmp_path / "collector.json").read_bytes() == before, "to look at it is not to take it"
    with taken_over(tmp_path, "other"):
        pass
    with pytest.raises(UsageError, match="no rules"), taken_over(tmp_path, "other"):
        raise UsageError("no rules")
    with pytest.raises(EnvironmentFault, match="was adopted by collector other"):
        move_in(DEAD, tmp_path)  # what was taken over before stays so


def test_a_collector_may_return_to_its_own_folder_with_other_shards(tmp_path: Path) -> None:
    move_in(DEAD, tmp_path)
    move_in(CollectorConfig(fleet="plant", name="one", shards=("05",)), tmp_path)
    assert adopted_settings(LIVING, tmp_path, 1).shards == ("05",)


def test_only_a_collectors_folder_of_the_same_fleet_can_be_adopted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no collector\.json"):
        adopted_settings(LIVING, tmp_path, 1)
    move_in(DEAD, tmp_path)
    with pytest.raises(UsageError, match="of fleet plant, this collector serves mill"):
        adopted_settings(CollectorConfig(fleet="mill", name="other"), tmp_path, 1)
    with pytest.raises(UsageError, match="needs two names"):
        adopted_settings(DEAD, tmp_path, 1)


def test_a_damaged_identity_is_said(tmp_path: Path) -> None:
    (tmp_path / "collector.json").write_text("{")
    with pytest.raises(EnvironmentFault, match=r"collector\.json"):
        move_in(DEAD, tmp_path)


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "collector.json").mkdir()
    with pytest.raises(EnvironmentFault, match=r"collector\.json"):
        write_whole(tmp_path / "collector.json", b"{}")
    assert [file.name for file in tmp_path.iterdir()] == ["collector.json"]


def test_where_logins_count_the_dead_one_keeps_its_own(tmp_path: Path) -> None:
    move_in(DEAD, tmp_path)
    living = msgspec.structs.replace(LIVING, broker=Broker(url="mqtts://lab:8883", username="other"))
    with pytest.raises(UsageError, match=r"own login into .*broker\.toml"):
        adopted_settings(living, tmp_path, 1)
    (tmp_path / "broker.toml").write_text('url = "mqtts://lab:8883"\nusername = "one"\n')
    assert adopted_settings(living, tmp_path, 1).broker == Broker(url="mqtts://lab:8883", username="one")
    (tmp_path / "broker.toml").write_text("user = 1\n")
    with pytest.raises(ConfigError, match="user"):
        adopted_settings(living, tmp_path, 1)
