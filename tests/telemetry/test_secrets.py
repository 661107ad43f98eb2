"""Secrets of files: what cannot be one is said, and nothing of it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.errors import EnvironmentFault
from telemetry.secrets import read_secret


def test_a_secret_is_the_text_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    assert read_secret(str(file)) == "s3cret"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(b"\xff\xfe\x00", 0o600, "is no text"), (b"\n", 0o600, "is empty"), (b"s3cret", 0o644, "chmod 600")],
)
def test_what_cannot_be_a_secret_is_said(tmp_path: Path, content: bytes, mode: int, said: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(EnvironmentFault, match=said) as fault:
        read_secret(str(file))
    assert str(file) in str(fault.value)
    assert "s3cret" not in str(fault.value)
