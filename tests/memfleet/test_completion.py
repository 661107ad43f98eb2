"""Completion, as bash asks for it; and that zsh and fish get a script that asks the same way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.memfleet.running import run

_ASK = """
eval "$(memfleet completion bash)"
for line in "$@"; do
    read -r -a COMP_WORDS <<< "$line"
    [[ "$line" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _memfleet_completion memfleet
    echo "${COMPREPLY[@]}"
done
"""


def test_bash_completes_commands_options_and_values() -> None:
    lines = {
        "memfleet comp": "compare completion",
        "memfleet incidents a": "acknowledge",
        "memfleet export --format ": "ndjson csv line",
    }
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    asked = subprocess.run(
        ["bash", "-c", _ASK, "bash", *lines], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert asked.stdout.splitlines() == list(lines.values())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_that_asks_the_same_way(shell: str) -> None:
    script = run("completion", shell).stdout
    assert f"_MEMFLEET_COMPLETE=complete_{shell}" in script
    environment = os.environ | {
        "_MEMFLEET_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "memfleet comp",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    words = [sys.executable, "-c", "import sys; sys.argv = ['memfleet']; from memfleet.cli import main; main()"]
    asked = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert {"compare", "completion"} <= set(re.findall(r"\w+", asked.stdout))


def test_an_unknown_shell_is_refused() -> None:
    assert run("completion", "tcsh").returncode == 2
