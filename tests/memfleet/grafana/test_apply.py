"""`memfleet grafana apply` against a Grafana that records what is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memfleet.cli import main
from memfleet.grafana.provision import Source
from tests.memfleet.grafana.fake import FakeGrafana, answering, fake_grafana
from tests.servers import free_port


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with fake_grafana() as fake:
        yield fake


@pytest.fixture(params=[10, 11, 12, 13])
def any_grafana(request: pytest.FixtureRequest) -> Iterator[FakeGrafana]:
    with fake_grafana(version=request.param) as fake:
        yield fake


class Desk:
    """A folder with the collector's configuration and the secrets, and the command run in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        self.store = '[[stores]]\nname = "long"\nkind = "influxdb"\nurl = "http://influx:8086"\n'
        self.secret("grafana", "good")

    def secret(self, name: str, text: str) -> str:
        file = self.folder / name
        file.write_text(text + "\n")
        file.chmod(0o600)
        return str(file)

    def apply(self, url: str, *words: str) -> tuple[int, str]:
        config = self.folder / "collector.toml"
        config.write_text(self.store)
        basics = ["--url", url, "--token-file", str(self.folder / "grafana"), "--config", str(config)]
        self._monkeypatch.setattr("sys.argv", ["memfleet", "grafana", "apply", *basics, *words])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = self._capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


EVERYTHING = [("POST", "/datasources"), ("POST", "/folders"), *[("POST", "/dashboards/db")] * 4]


def test_the_first_run_writes_everything_once_and_the_second_nothing(any_grafana: FakeGrafana, desk: Desk) -> None:
    grafana = any_grafana
    assert desk.apply(grafana.url)[0] == 0
    assert grafana.writes == EVERYTHING
    assert grafana.sources["memfleet"]["url"] == "http://influx:8086"
    assert grafana.sources["memfleet"]["jsonData"]["dbName"] == "memfleet"
    assert grafana.dashboards["memfleet-fleet"]["title"] == "Fleet"
    grafana.writes.clear()
    assert desk.apply(grafana.url) == (0, "nothing to do\n")
    assert grafana.writes == []


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(grafana: FakeGrafana, desk: Desk) -> None:
    status, printed = desk.apply(grafana.url, "--dry-run")
    assert (status, grafana.writes) == (0, [])
    for line in ("would write data source memfleet: new", "would write folder memfleet: new", "dashboard Fleet: new"):
        assert line in printed


def test_a_changed_setting_is_written_and_named(grafana: FakeGrafana, desk: Desk) -> None:
    desk.apply(grafana.url)
    grafana.writes.clear()
    desk.store += 'database = "other"\n'
    status, printed = desk.apply(grafana.url, "--source-url", "http://10.0.0.5:8086")
    assert (status, printed) == (0, "writing data source memfleet: dbName, url\n")
    assert grafana.writes == [("PUT", "/datasources/uid/memfleet")]
    assert grafana.sources["memfleet"]["jsonData"]["dbName"] == "other"


def test_an_edit_by_hand_is_shown_and_kept_unless_forced(any_grafana: FakeGrafana, desk: Desk) -> None:
    grafana = any_grafana
    desk.apply(grafana.url)
    grafana.save_by_hand("memfleet-fleet", title="Mine")
    grafana.writes.clear()
    status, printed = desk.apply(grafana.url)
    assert (status, grafana.writes) == (0, [])
    assert "keeping dashboard Fleet: edited by hand, version 2 by bob taller panels; --force writes over it" in printed
    assert '- "title": "Mine",' in printed
    assert desk.apply(grafana.url, "--force")[0] == 0
    assert grafana.dashboards["memfleet-fleet"]["title"] == "Fleet"
    assert desk.apply(grafana.url) == (0, "nothing to do\n")


def test_an_edit_by_hand_outlives_a_new_version_too(grafana: FakeGrafana, desk: Desk) -> None:
    desk.apply(grafana.url)
    grafana.save_by_hand("memfleet-fleet", title="Mine", tags=["memfleet", "memfleet-00000000"])
    assert "keeping dashboard Fleet" in desk.apply(grafana.url)[1]
    assert grafana.dashboards["memfleet-fleet"]["title"] == "Mine"


def test_a_dashboard_without_our_tag_is_somebody_elses_even_when_forced(grafana: FakeGrafana, desk: Desk) -> None:
    desk.apply(grafana.url)
    grafana.save_by_hand("memfleet-fleet", title="Mine", tags=["theirs"])
    assert "has lost the tag memfleet" in desk.apply(grafana.url, "--force")[1]
    assert grafana.dashboards["memfleet-fleet"]["title"] == "Mine"


def test_a_dry_run_shows_what_differs(grafana: FakeGrafana, desk: Desk) -> None:
    desk.apply(grafana.url)
    grafana.dashboards["memfleet-fleet"] |= {"tags": ["memfleet", "memfleet-00000000"], "refresh": "5s"}
    desk.store += 'database = "other"\n'
    printed = desk.apply(grafana.url, "--dry-run")[1]
    assert "dbName: 'memfleet' -> 'other'" in printed
    assert '- "refresh": "5s",' in printed
    assert '+ "refresh": "30s",' in printed
    assert grafana.dashboards["memfleet-fleet"]["refresh"] == "5s"


def test_a_victoriametrics_gets_its_own_source_and_dashboards(grafana: FakeGrafana, desk: Desk) -> None:
    desk.store = '[[stores]]\nname = "vm"\nkind = "victoriametrics"\nurl = "http://vm:8428"\n'
    assert desk.apply(grafana.url)[0] == 0
    assert grafana.sources["memfleet-metrics"]["type"] == "prometheus"
    assert len(grafana.dashboards) == 4
    assert desk.apply(grafana.url) == (0, "nothing to do\n")


def test_alert_rules_come_only_when_they_are_asked_for(any_grafana: FakeGrafana, desk: Desk) -> None:
    grafana = any_grafana
    desk.apply(grafana.url)
    assert grafana.rules == {}
    assert desk.apply(grafana.url, "--alerts") == (0, "writing alert rules memfleet: new\n")
    assert grafana.writes[len(EVERYTHING) :] == [("PUT", "/v1/provisioning/folder/memfleet/rule-groups/memfleet")]
    assert desk.apply(grafana.url, "--alerts") == (0, "nothing to do\n")
    assert desk.apply(grafana.url) == (0, "nothing to do\n")
    desk.store += 'prefix = "site_"\n'
    assert "writing alert rules memfleet: of another version" in desk.apply(grafana.url, "--alerts")[1]
    (group,) = grafana.rules.values()
    assert all("site_collector" in rule["data"][0]["model"]["query"] for rule in group["rules"])


class FakeInflux:
    """The routes of InfluxDB 2 that show and make mappings, as its reference has them."""

    def __init__(self) -> None:
        self.url = ""
        self.allowed = True
        self.mappings: list[dict[str, str]] = []

    def answer(self, method: str, path: str, authorization: str, body: dict[str, str] | None) -> tuple[int, object]:
        if not self.allowed or authorization != "Token s3cret":
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        if path.startswith("/api/v2/buckets?"):
            return 200, {"buckets": [{"id": "b1", "name": "fleet data"}]}
        if (method, path) == ("POST", "/api/v2/dbrps"):
            assert body is not None
            self.mappings.append(body)
            return 201, body
        assert path == "/api/v2/dbrps?org=o&db=fleet+data" or path == "/api/v2/dbrps?org=o&db=fleet%20data"
        return 200, {"content": self.mappings}


def test_a_bucket_of_influxdb_2_is_mapped_once(grafana: FakeGrafana, desk: Desk) -> None:
    influx = FakeInflux()
    with answering(influx):
        token = desk.secret("influx", "s3cret")
        desk.store = desk.store.replace("http://influx:8086", influx.url)
        desk.store += f'api = 2\nbucket = "fleet data"\norg = "o"\ntoken_file = "{token}"\n'
        assert "would write mapping of database fleet data" in desk.apply(grafana.url, "--dry-run")[1]
        assert influx.mappings == []
        desk.apply(grafana.url)
        assert [(one["bucketID"], one["database"], one["default"]) for one in influx.mappings] == [
            ("b1", "fleet data", True)
        ]
        assert desk.apply(grafana.url)[1].startswith("nothing to do\n")
        influx.allowed = False
        status, printed = desk.apply(grafana.url)
        assert (status, "influx v1 dbrp create --db fleet data" in printed) == (0, True)


def test_a_dashboard_of_another_version_is_brought_up_to_date(grafana: FakeGrafana, desk: Desk) -> None:
    desk.apply(grafana.url)
    grafana.writes.clear()
    grafana.dashboards["memfleet-fleet"]["tags"] = ["memfleet", "memfleet-00000000"]
    assert desk.apply(grafana.url)[1] == "writing dashboard Fleet: of another version\n"
    assert grafana.writes == [("POST", "/dashboards/db")]


def test_a_grafana_below_a_path_is_found(desk: Desk) -> None:
    with fake_grafana("/monitoring/grafana") as fake:
        assert desk.apply(fake.url)[0] == 0
        assert fake.writes == EVERYTHING
        assert desk.apply(fake.url + "/") == (0, "nothing to do\n")


def test_a_secret_is_sent_once_and_never_printed(grafana: FakeGrafana, desk: Desk) -> None:
    token = desk.secret("influx", "s3cret")
    desk.store = desk.store.replace("influx:8086", "127.0.0.1:1")
    desk.store += f'api = 2\nbucket = "b"\ntoken_file = "{token}"\n'
    status, printed = desk.apply(grafana.url)
    assert (status, "s3cret" in printed) == (0, False)
    assert grafana.sources["memfleet"]["secureJsonData"] == {"httpHeaderValue1": "Token s3cret"}
    assert desk.apply(grafana.url)[1].startswith("nothing to do\n")
    assert "s3cret" not in repr(Source("u", "d", secret="s3cret"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((502, "<html>no message from upstream</html>"), "not Grafana, or a broken one"),
        ((500, '{"message": "database is locked"}'), "database is locked"),
        ((403, '{"message": "Permissions needed"}'), "needs a service account with the role Admin"),
        ((503, "down"), "down"),
    ],
)
def test_a_grafana_in_trouble_is_one_clear_line(grafana: FakeGrafana, desk: Desk, answer, said: str) -> None:
    grafana.answer_always = answer
    status, printed = desk.apply(grafana.url)
    assert (status, printed.count("\n")) == (1, 1), printed
    assert said in printed


def test_a_refused_token_says_what_is_needed(grafana: FakeGrafana, desk: Desk) -> None:
    desk.secret("grafana", "bad")
    status, printed = desk.apply(grafana.url)
    assert status == 1
    assert "the token is refused" in printed


def test_no_grafana_there_is_one_clear_line(desk: Desk) -> None:
    status, printed = desk.apply(f"http://127.0.0.1:{free_port()}")
    assert (status, printed.count("\n")) == (1, 1)
    assert "cannot be reached" in printed


def test_another_data_source_of_that_name_is_left_alone(grafana: FakeGrafana, desk: Desk) -> None:
    grafana.sources["theirs"] = {"name": "memfleet", "uid": "theirs"}
    status, printed = desk.apply(grafana.url)
    assert status == 1
    assert "same name already exists" in printed
    assert list(grafana.sources) == ["theirs"]


@pytest.mark.parametrize("words", [["--url", "grafana:3000"], ["--store", "none"]])
def test_what_cannot_be_carried_out_is_said(grafana: FakeGrafana, desk: Desk, words: list[str]) -> None:
    status, printed = desk.apply(grafana.url, *words)
    assert (status, grafana.writes) == (2, [])
    assert printed.count("\n") == 1
