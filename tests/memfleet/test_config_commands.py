"""`memfleet init` and `memfleet check-config`, as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from memfleet.cli import app, main
from memfleet.commands.init import CONFIGURATIONS, Role, template
from telemetry.settings import Broker, convert
from tests.servers import free_port
from tests.waiting import LIMIT_S


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and everything printed by one command."""
    monkeypatch.setattr("sys.argv", ["memfleet", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out + printed.err


@pytest.mark.parametrize("role", Role)
def test_what_init_writes_means_the_defaults(tmp_path: Path, role: Role) -> None:
    file = tmp_path / "new" / "file.toml"
    done = CliRunner().invoke(app, ["init", role, str(file)])
    assert done.exit_code == 0, done.output
    assert convert(CONFIGURATIONS[role], tomllib.loads(file.read_text()), "file") == CONFIGURATIONS[role]()


def test_init_takes_the_folder_of_the_data(tmp_path: Path) -> None:
    file, data = tmp_path / "collector.toml", tmp_path / 'a "folder"'
    assert CliRunner().invoke(app, ["init", "collector", str(file), "--data", str(data)]).exit_code == 0
    kind = CONFIGURATIONS[Role.collector]
    assert convert(kind, tomllib.loads(file.read_text()), "file") == kind(data_dir=str(data))


@pytest.mark.parametrize("role", Role)
def test_every_setting_that_init_writes_can_be_switched_on(role: Role) -> None:
    text = re.sub(r'(url) = ""', r'\1 = "http://host"', template(CONFIGURATIONS[role]))
    text = text.replace('= ""', '= "influxdb"')  # a kind of store, and any other text
    text = text.replace("mqtt://", "mqtts://")  # certificates are of TLS
    switched_on = re.sub(r"^#(\[|\w+ = (?!\(not set\)))", r"\1", text, flags=re.M)
    assert switched_on != text
    config = convert(CONFIGURATIONS[role], tomllib.loads(switched_on), "file")
    assert isinstance(config, CONFIGURATIONS[role])
    assert all(name in switched_on for name in CONFIGURATIONS[role].__struct_fields__)


def test_init_does_not_write_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    status, printed = run(monkeypatch, capsys, "init", "collector", str(file))
    assert (status, file.read_text()) == (2, "precious")
    assert "--force" in printed
    assert run(monkeypatch, capsys, "init", "collector", str(file), "--force")[0] == 0
    assert file.read_text() != "precious"


def test_init_says_why_a_file_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "file").touch()
    status, printed = run(monkeypatch, capsys, "init", "agent", str(tmp_path / "file" / "below.toml"))
    assert status == 1
    assert "below.toml: " in printed
    assert "Traceback" not in printed


def test_check_config_names_every_fault_with_its_place(tmp_path: Path, monkeypatch, capsys) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('flet = "a"\n[page]\nport = 70000\n[broker]\nurl = 5\n[[stores]]\nname = "s"\nkind = "influx"\n')
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert "flet: unknown setting (did you mean fleet?)" in printed
    for place in ("page.port", "broker.url", "stores[0].kind", "stores[0].url"):
        assert f"{file}: {place}: " in printed


def test_check_config_looks_for_the_files_that_are_named(tmp_path: Path, monkeypatch, capsys) -> None:
    file = tmp_path / "agent.toml"
    secret = tmp_path / "secret"
    secret.write_text("word")
    secret.chmod(0o644)
    file.write_text(
        f'[outbox]\nmax_mb = 1\n[broker]\nurl = "mqtts://lab"\npassword_file = "{secret}"\nca_file = "/nowhere/ca"\n'
    )
    file.write_text('elf_dir = "/nowhere/elf"\n' + file.read_text())
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert f"broker.password_file: secret file {secret}: others can read it; chmod 600" in printed
    assert "broker.ca_file: /nowhere/ca: No such file or directory" in printed
    assert "elf_dir: /nowhere/elf: no such folder" in printed
    status, printed = run(monkeypatch, capsys, "check-config", str(file), "--elsewhere")
    assert (status, printed) == (0, f"{file}: good as the configuration of an agent\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"a = ", "is not TOML"), (b"\xff\xfe", "is not TOML")],
    ids=["missing", "broken", "binary"],
)
def test_check_config_says_what_is_wrong_with_the_file_itself(tmp_path, content, said, monkeypatch, capsys) -> None:
    file = tmp_path / "collector.toml"
    if content is not None:
        file.write_bytes(content)
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert said in printed
    assert "Traceback" not in printed


def test_settings_may_come_from_the_environment(tmp_path: Path, monkeypatch, capsys) -> None:
    file = tmp_path / "collector.toml"
    file.write_text("")
    monkeypatch.setenv("MEMFLEET_PAGE__PORT", "many")
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert "page.port" in printed


def test_check_config_looks_into_rules_addresses_and_the_open_page(tmp_path: Path, monkeypatch, capsys) -> None:
    file, rules = tmp_path / "collector.toml", tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\nkind = "heep"\nseverity = "warning"\nwhen = "fre < usd"\nreason = "r"\n')
    file.write_text(f'[judging]\nrules_file = "{rules}"\n[notify]\nurls = ["nosuch://x"]\n[page]\nhost = "0.0.0.0"\n')
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert [line for line in printed.splitlines() if f"{rules} rule[0].kind: " in line]
    assert printed.count(f"{rules} rule[0].when: ") == 2
    assert "notify.urls[0]: " in printed
    assert "page.read_token_file: missing" in printed
    rules.unlink()
    assert f"judging.rules_file: {rules}: No such file" in run(monkeypatch, capsys, "check-config", str(file))[1]


def test_check_config_looks_further_though_another_table_is_wrong(tmp_path: Path, monkeypatch, capsys) -> None:
    file, rules = tmp_path / "collector.toml", tmp_path / "rules.toml"
    rules.write_text("")
    of_page = '[page]\nhost = "0.0.0.0"\nread_token_fil = "x"\n'  # it is not open for want of a setting
    file.write_text(f'flet = "a"\n[judging]\nrules_file = "{rules}"\n[notify]\nurls = ["nosuch://x"]\n{of_page}')
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    for said in ("flet: unknown", "page.read_token_fil: unknown", "notify.urls[0]: ", f"{rules} there is no [[rule]]"):
        assert said in printed
    assert "page.read_token_file: missing" not in printed


def test_check_config_looks_further_though_another_setting_of_a_table_is_wrong(tmp_path, monkeypatch, capsys) -> None:
    file = tmp_path / "collector.toml"
    routes = '[[notify.routes]]\ndevice = "a[b"\nurls = [""]\n[[notify.routes]]\nurls = ["nosuch://y"]\n'
    stores = '[[stores]]\nurl = "x"\n'  # wants a name, so that nothing more can be said of it
    file.write_text(f'[notify]\nurls = ["nosuch://x"]\ninterval_s = -3\n{routes}{stores}')
    _, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert [line.split(": ")[1] for line in printed.removeprefix("memfleet: ").splitlines()] == [
        "notify.interval_s", "notify.routes[0].device", "stores[0].kind", "stores[0].name", "stores[0].url",
        "notify.urls[0]", "notify.routes[0].urls[0]", "notify.routes[1].urls[0]",
    ]  # fmt: skip


def test_check_config_says_what_no_device_can_match(tmp_path: Path, monkeypatch, capsys) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('[[notify.routes]]\nplatform = "esp8266"\nurls = ["json://127.0.0.1"]\n')
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert status == 2
    assert "notify.routes[0]: platform 'esp8266' is none of mt3620, esp32" in printed


def said_by_refused_collector(folder: Path, settings: str) -> str:
    """What a collector with these settings writes, which does not begin."""
    file = folder / "collector.toml"
    file.write_text(f'data_dir = "{folder}/data"\n[page]\nport = 0\n{settings}')
    words = [sys.executable, "-m", "memfleet", "collect", "--config", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2
    return done.stderr


def test_a_collector_does_not_begin_without_its_judge(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\nkind = "heap"\nseverity = "warn"\nwhen = "free < 1"\nreason = "r"\n')
    said = said_by_refused_collector(
        tmp_path, f'[judging]\nrules_file = "{rules}"\n[broker]\nurl = "mqtt://127.0.0.1:{free_port()}"\n'
    )
    assert f"{rules}: rule[0].severity: 'warn' is none of info, warning, critical" in said
    assert said.splitlines()[-1].startswith("memfleet: judge cannot run as it is configured, see above")


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ('ca_file = "{file}"', "broker.ca_file {file}: holds no PEM certificate"),
        ('cert_file = "/nowhere/crt"', "broker.cert_file /nowhere/crt: No such file or directory"),
        ('password_file = "/nowhere/word"', "broker.password_file: secret file /nowhere/word: No such file"),
    ],
    ids=["authority", "certificate", "password"],
)
def test_a_collector_does_not_begin_without_the_files_of_its_login(setting: str, fault: str, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate")
    said = said_by_refused_collector(
        tmp_path, f'[broker]\nurl = "mqtts://127.0.0.1:{free_port()}"\n{setting.format(file=text)}\n'
    )
    assert said.count(f"memfleet: settings: {fault.format(file=text)}") == 1
    assert said.splitlines()[-1].startswith("memfleet: intake cannot run as it is configured, see above")


@pytest.mark.parametrize(
    "url", ["lab", "lab:1883", "http://lab", "mqtt:/lab", "mqtt://", "mqtt://lab:99999", "mqtt://me:word@lab", ""]
)
def test_what_is_no_address_of_a_broker_is_said_before_anything_starts(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(f'[broker]\nurl = "{url}"\n')
    said = f"broker.url: {url!r} is not an address of a broker, `mqtt://host:port` or `mqtts://host:port`"
    assert run(monkeypatch, capsys, "check-config", str(file)) == (2, f"memfleet: {file}: {said}\n")
    status, printed = run(monkeypatch, capsys, "discover", "--broker", url, "--write", str(tmp_path / "agent.toml"))
    assert (status, "Traceback" in printed) == (2, False)


@pytest.mark.parametrize("url", ["mqtt://lab", "mqtts://lab:8883", "mqtt://[::1]:1883/", "mqtt://192.168.1.5:65535"])
def test_addresses_of_brokers(url: str) -> None:
    assert Broker(url=url) == convert(Broker, {"url": url}, "file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[ports]]\nport = "/dev/a"\ndevice = "a"\n[[ports]]\nport = "/dev/a"\ndevice = "b"\n',
            "port /dev/a stands there",
        ),
        (
            '[[ports]]\nport = "/dev/a"\ndevice = "d"\n[[ports]]\nport = "/dev/b"\ndevice = "d"\n',
            "device d stands there more than once; each wants its own",
        ),
        (
            '[[ports]]\nport = "/dev/a"\ndevice = "d"\n' * 2,
            "port /dev/a stands there more than once; device d stands there more than once; each wants its own",
        ),
        ('[[stores]]\nname = "s"\nkind = "influxdb"\nurl = "http://x"\n' * 2, "store s stands there more than once"),
        ('[[sources]]\nmaps = ["shelly"]\n[[sources]]\nmaps = ["shely"]\n', "sources[1].maps: shely: cannot be read"),
        ('[[stores]]\nname = "s"\nkind = "influxdb"\nurl = "db:8086"\n', "'db:8086' is not an address, `http://host"),
        ('[notify]\nheartbeat_url = "hc"\n', "notify.heartbeat_url: 'hc' is not an address, `http://host:port`"),
        ('[capture]\nmask = ["(open"]\n', "capture.mask: '(open' is no regular expression"),
    ],
    ids=["port", "device", "both", "store", "map", "address of a store", "address of a heartbeat", "mask"],
)
def test_check_config_names_what_would_keep_it_from_starting(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text)
    status, printed = run(monkeypatch, capsys, "check-config", str(file))
    assert (status, said in printed) == (2, True), printed


@pytest.mark.parametrize("command", [["watch", "/dev/ttyUSB0"], ["demo"]])
def test_a_port_that_is_none_is_said(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = run(monkeypatch, capsys, *command, "--port", "99999")
    assert (status, "Traceback" in printed, "'--port'" in printed) == (2, False, True)
