"""Secrets come from files that only their owner can read, and are never printed."""

from __future__ import annotations

import stat
from pathlib import Path

from telemetry.errors import EnvironmentFault


def read_secret(path: str) -> str:
    """The secret in a file, without the line end. EnvironmentFault when it is missing, empty or open to others."""
    file = Path(path)
    try:
        mode, text = file.stat().st_mode, file.read_text().strip()
    except OSError as error:
        raise EnvironmentFault(f"secret file {path}: {error.strerror}", retry=False) from None
    except UnicodeDecodeError:
        raise EnvironmentFault(f"secret file {path}: is no text (UTF-8)", retry=False) from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        raise EnvironmentFault(f"secret file {path}: others can read it; chmod 600 {path}", retry=False)
    if not text:
        raise EnvironmentFault(f"secret file {path}: is empty", retry=False)
    return text
