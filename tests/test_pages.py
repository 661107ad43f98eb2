"""Tutorial, README and how-to, walked as a newcomer does: each command as it is printed, against real servers.

Grafana alone is a stand-in, and boards are emulated, as the tutorial tells its reader who has none. In the README an
address, a tool and a time to listen stand for what a newcomer has (`tests/newcomer.py` lists them); lines that install
are not walked.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.newcomer import PORTS, ROOT, WALKS
from tests.walk import Block, Walk, appears, blocks


@pytest.mark.timeout(1800)  # for what never comes; without a network of its own one page is walked after the other
def test_every_printed_command_works_on_a_clean_machine(tmp_path: Path) -> None:
    network = own_network()
    if not network and not all(map(is_free, PORTS.values())):
        pytest.skip(f"wants a network of its own (unshare --net), or the ports {sorted(PORTS.values())}")
    with ThreadPoolExecutor(len(WALKS) if network else 1) as walks:
        done = dict(zip(WALKS, walks.map(lambda page: walked(page, tmp_path, network), WALKS), strict=True))
    for page, walk in done.items():
        assert walk.returncode == 0, f"{page}\n{walk.stdout}{walk.stderr}"


def walked(page: str, folder: Path, network: list[str]) -> subprocess.CompletedProcess[str]:
    home = folder / Path(page).stem
    home.mkdir()
    words = ["-m", "tests.newcomer", page, str(home), *(["--own-network"] if network else [])]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [*network, sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580
    )


def own_network() -> list[str]:
    """What to put before a command to run it in a network of its own; nothing where that is not allowed."""
    for words in (["--net"], ["--user", "--map-current-user", "--keep-caps", "--net"]):
        found = ["unshare", *words]
        if subprocess.run([*found, "true"], capture_output=True, check=False).returncode == 0:
            return found
    return []


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


PAGE = """
Look:

    memfleet ports
    cat > file <<'END'
    a line
    END
    memfleet collect --config x.toml

```text
ready at 127.0.0.1:8080
```

```toml
not = "typed"
```

Then end it. End
`memfleet collect` with Ctrl-C.
"""


def test_a_page_is_read_in_its_order() -> None:
    assert blocks(PAGE) == [
        Block("memfleet ports\ncat > file <<'END'\na line\nEND"),
        Block("memfleet collect --config x.toml", shown="ready at 127.0.0.1:8080\n"),
        Block("memfleet collect", over=True),
    ]


def test_what_is_shown_may_differ_in_numbers_and_spaces_alone() -> None:
    shown = "state  agent\nok   gw-1  12 frames"
    assert appears(shown, "noise\nstate agent more\nok gw-7    3 frames, 0 dropped")
    assert not appears(shown, "ok gw-1 12 frames\nstate agent")
    assert not appears(shown, "state agent\nok gw-1 12 rows")


@pytest.mark.parametrize(
    "block", [Block("memflet ports"), Block("echo one", shown="two"), Block("memfleet show --nope")]
)
def test_what_does_not_work_is_found(tmp_path: Path, block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.walk.PATIENCE_S", 0)
    (tmp_path / "home").mkdir()
    with pytest.raises(AssertionError, match=re.escape(block.text)):
        Walk(tmp_path / "home", {}).take(block)
