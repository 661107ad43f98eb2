"""`memfleet notify --test` against real receivers."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from memfleet.cli import app
from tests.collector.notify.receiver import receiving


def test_each_channel_is_tried_and_told_apart(tmp_path: Path) -> None:
    with receiving(200) as good, receiving(500) as bad:
        config = tmp_path / "collector.toml"
        allowed = 'private_networks = ["127.0.0.0/8"]'
        config.write_text(f'fleet = "lab"\n[notify]\n{allowed}\nurls = ["{good.url}", "{bad.url}"]\n')
        result = CliRunner().invoke(app, ["notify", "--test", "--config", str(config)])
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith("json://")]
    assert [line.split("#")[0] for line in lines] == [receiver.url.split("/?")[0] for receiver in (good, bad)]
    assert [line.split(": ", 1)[1] for line in lines] == ["sent", "failed: it answered 500"]
    assert [message["title"] for message in good.taken] == ["test message"]


def test_without_addresses_it_says_what_to_add() -> None:
    result = CliRunner().invoke(app, ["notify", "--test"])
    assert result.exit_code == 0
    assert "notify.urls" in result.output
