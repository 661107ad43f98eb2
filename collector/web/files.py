"""Questions to files that other processes own. They are opened for reading only, and may not be there yet."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from telemetry.errors import EnvironmentFault
from telemetry.files import open_read_only

PORT_FILE = "page.port"
"""Where a running page says on which port it listens, in the collector's folder."""

P = ParamSpec("P")
T = TypeVar("T")


class ReadOnlyFile:
    """One SQLite file, asked one question at a time on a thread of its own: a slow one never holds up the page."""

    def __init__(self, path: Path, opener: Callable[[Path], sqlite3.Connection] = open_read_only) -> None:
        self.path = path
        self._opener = opener
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=path.name)
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    async def ask(
        self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The answer of `question(db, ...)`; EnvironmentFault while the file is not there or not laid out."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._answer(question, *args, **kwargs))

    def close(self) -> None:
        """Let go of the file once the question under way is answered."""
        self._thread.submit(self._forget)
        self._thread.shutdown(wait=True)

    def _answer(
        self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return question(self._connection(), *args, **kwargs)
        except sqlite3.Error as error:
            self._forget()
            raise EnvironmentFault(f"{self.path.name} cannot be read now: {error}", retry=True) from None

    def _connection(self) -> sqlite3.Connection:
        try:
            inode = self.path.stat().st_ino
        except OSError:
            self._forget()
            raise EnvironmentFault(
                f"{self.path.name} is not there yet: its process is not running", retry=True
            ) from None
        if self._db is None or inode != self._inode:  # replaced after damage: the path is another file now
            self._forget()
            self._db, self._inode = self._opener(self.path), inode
        return self._db

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
