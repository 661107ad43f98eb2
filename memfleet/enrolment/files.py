"""Files that others own or secrets stand in: new ones never replace what is there, merged ones never half written."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from telemetry.errors import EnvironmentFault, UsageError


def require_new(*paths: Path) -> None:
    """UsageError when one of them exists."""
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} exists and is not written over: move it away, or name another folder with --out")


def write_secret(path: Path, text: str) -> None:
    """A new file that its owner alone can read; UsageError when it exists."""
    with _said(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(
                f"{path.parent} is no folder, and none can be made there: name another with --out"
            ) from None
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            require_new(path)
            raise
        with os.fdopen(descriptor, "w") as file:
            file.write(text)


def read_text(path: Path) -> str:
    """What stands in a file, nothing when there is none."""
    with _said(path):
        return path.read_text() if path.exists() else ""


def merge(path: Path, change: Callable[[str], str]) -> bool:
    """Put `change` of a file's text in its place at once, with the rights it had; whether anything changed.

    Two that merge at the same time wait for each other. A new file is its owner's alone.
    """
    with _said(path), _locked(path.parent):
        before = path.read_text() if path.exists() else ""
        after = change(before)
        if after == before:
            return False
        draft = path.with_name(f".{path.name}.draft")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()  # of one that was killed
        write_secret(draft, after)
        if path.exists():
            status = path.stat()
            draft.chmod(status.st_mode & 0o777)
            if (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
                os.chown(draft, status.st_uid, status.st_gid)
        draft.replace(path)
        return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not text"
        raise EnvironmentFault(f"{path}: {why}", retry=False) from None
