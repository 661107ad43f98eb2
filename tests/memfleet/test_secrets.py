"""Secrets of every kind through real commands: none stands in any output, log, answer or file of ours."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.memfleet.running import memfleet
from tests.servers import free_port, mosquitto
from tests.waiting import wait_until

SECRETS = {
    name: f"hush-{name}-5f1c9a" for name in ("broker", "influxdb", "influxdb2", "url", "reader", "operator", "agent")
}


def secret_file(folder: Path, name: str, text: str = "") -> str:
    """A file with that secret that its owner alone can read."""
    file = folder / f"{name}.secret"
    file.write_text((text or SECRETS[name]) + "\n")
    file.chmod(0o600)
    return json.dumps(str(file))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A collector that has every kind of secret, and stores and receivers that are not there."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    file = tmp_path / "collector.toml"
    address = f"json://user:{SECRETS['url']}@127.0.0.1:{free_port()}/"
    file.write_text(f"""\
fleet = "plant"
data_dir = {json.dumps(str(tmp_path / "data"))}
[broker]
url = "BROKER"
username = "collector"
password_file = {secret_file(secrets, "broker")}
[page]
port = {free_port()}
read_token_file = {secret_file(secrets, "reader")}
operator_token_file = {secret_file(secrets, "operator")}
[notify]
url_file = {secret_file(secrets, "url", address)}
[[stores]]
name = "one"
kind = "influxdb"
url = "http://127.0.0.1:{free_port()}"
username = "writer"
password_file = {secret_file(secrets, "influxdb")}
[[stores]]
name = "two"
kind = "influxdb"
api = 2
url = "http://127.0.0.1:{free_port()}"
token_file = {secret_file(secrets, "influxdb2")}
""")
    return file


def ask(port: int, path: str, token: str) -> str:
    """An answer of the page, whatever its status."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.headers}{error.read().decode()}"
    except OSError:
        return ""
    return text


def run(*words: str) -> str:
    """Everything that a command says."""
    done = subprocess.run(
        [sys.executable, "-m", "memfleet", *words], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def told_secrets(text: str) -> list[str]:
    """Which secrets a text tells."""
    return [name for name, secret in SECRETS.items() if secret in text]


def test_no_secret_is_told(tmp_path: Path, config: Path) -> None:
    log = tmp_path / "log"
    said = []
    users = "allow_anonymous false\npassword_file {}\n"
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    with mosquitto(tmp_path, configuration=users.format(passwords)) as broker:
        text = config.read_text().replace("BROKER", broker.url)
        config.write_text(text)
        port = int(text.split("port = ")[1].split("\n")[0])
        with memfleet("collect", "--config", str(config), log=log):
            wait_until(lambda: ask(port, "/api/v1/status", SECRETS["reader"]), "the page answers", log)
            wait_until(lambda: "refused" in log.read_text(), "the broker refuses the password")
            status = ask(port, "/api/v1/status", SECRETS["reader"])
            assert '"processes"' in status
            said += [status, ask(port, "/metrics", SECRETS["reader"]), ask(port, "/readyz", "")]
            said += [ask(port, "/api/v1/status", "wrong"), ask(port, "/api/v1/devices", SECRETS["operator"])]
            said.append(ask(port, f"/?token={SECRETS['agent']}", ""))
    said += [run("check-config", str(config)), run("notify", "--test", "--config", str(config))]
    (tmp_path / "secrets" / "url.secret").chmod(0o644)
    said.append(run("check-config", str(config)))
    assert "others can read it" in said[-1]
    assert told_secrets("".join(said)) == []
    assert told_secrets(log.read_text()) == []
    for file in (path for path in (tmp_path / "data").rglob("*") if path.is_file()):
        assert told_secrets(file.read_bytes().decode(errors="replace")) == [], file


def test_a_setting_in_the_wrong_place_is_named_without_its_value(tmp_path: Path) -> None:
    """Who writes the password itself into the file is told so, and nobody else is told the password."""
    config = tmp_path / "collector.toml"
    config.write_text(
        f'[broker]\npassword = "{SECRETS["broker"]}"\n[[stores]]\nname = "x"\ntoken = "{SECRETS["url"]}"\n'
    )
    said = run("check-config", str(config))
    assert "broker.password: unknown setting" in said
    assert told_secrets(said) == []
