"""`memfleet quarantine --data`: what a broker refused of an agent, looked at while the agent runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from agent.outbox import Outbox
from tests.memfleet.running import run


def quarantine(*words: object) -> subprocess.CompletedProcess[str]:
    return run("quarantine", *words)


def test_frames_that_the_broker_refused_are_listed_and_shown(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.journal", 10**9)
    assert quarantine("--data", tmp_path).stdout == "The broker has refused nothing.\n"
    outbox.add([(b"too large", 7), (b"hung up on", 2), (b"fine", 1)])
    for reason in ("Packet too large", "hung up on 5 times"):
        outbox.set_aside(outbox.after(0, 1)[0], reason)
    listed = json.loads(quarantine("--data", tmp_path, "--json").stdout)
    assert listed == [
        {"id": 2, "reason": "hung up on 5 times", "rows": 2, "size": 10},
        {"id": 1, "reason": "Packet too large", "rows": 7, "size": 9},
    ]
    assert "Packet too large" in quarantine("--data", tmp_path).stdout
    assert quarantine("show", 1, "--data", tmp_path).stdout == "too large"
    assert len(json.loads(quarantine("--data", tmp_path, "--json", "--limit", 1).stdout)) == 1
    outbox.close()


def test_what_cannot_be_listed_is_said(tmp_path: Path) -> None:
    nowhere = quarantine("--data", tmp_path)
    assert (nowhere.returncode, "it holds no outbox.journal" in nowhere.stderr) == (2, True)
    (tmp_path / "outbox.journal").write_bytes(b"no database at all, but long enough to look like one " * 20)
    damaged = quarantine("--data", tmp_path)
    assert (damaged.returncode, "cannot be read" in damaged.stderr) == (1, True)
    assert quarantine("--data", tmp_path, "--agent", "rig").returncode == 2
