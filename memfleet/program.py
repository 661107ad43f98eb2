"""How every program of ours runs: what its log looks like, and how it ends.

Exit status: 0 done, 1 the answer is no (a check failed, an alert fires), 2 the command or a file given to it is wrong.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import os
import sys
from collections.abc import Callable

from telemetry.errors import ConfigError, EnvironmentFault, MemfleetError, UsageError
from telemetry.visible import visible

ALGEBRA_THREADS = "OMP_NUM_THREADS"
"""How many threads NumPy's linear algebra takes. It is read when NumPy is imported, so by what the program imports."""


class VisibleRecord(logging.LogRecord):
    """A line of the log in which no text from outside acts: it forges no line and moves no cursor."""

    def getMessage(self) -> str:  # noqa: N802 - logging's own name
        """The message, written out."""
        return visible(super().getMessage())


def run_program(program: Callable[[], object]) -> None:
    """Run it; turn our own errors into one clear line and the right exit status."""
    logging.setLogRecordFactory(VisibleRecord)
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error(_ESCAPED, _escaped)
        sys.stdout.reconfigure(errors=_ESCAPED)
    os.environ.setdefault(ALGEBRA_THREADS, "1")  # matrices are small here: more threads compute nothing sooner
    try:
        program()
    except (ConfigError, UsageError) as error:
        _stop(error, 2)
    except EnvironmentFault as error:
        _stop(error, 1)
    except MemfleetError as error:
        _stop(error, 1)
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        _stop(f"this command needs the '{extra}' part: pip install 'memfleet[{extra}]' (missing: {error.name})", 2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) went away: nothing to say
    except OSError as error:
        if not error.filename:
            raise
        _stop(f"{error.filename}: {error.strerror}", 1)


_ESCAPED = "memfleet-escaped"
_DRAWN = str.maketrans("▁▂▃▄▅▆▇█░…", "_.-=+*%#.~")
"""What bars, curves and cut cells are drawn with, for a terminal that has no such letters."""


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """A letter that the user's encoding has not, as JSON writes it: boards print what they like."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end].translate(_DRAWN))[1:-1], error.end


_EXTRA_OF = {
    "amqtt": "demo",
    "elftools": "elf",
    "apprise": "notify",
    "fastapi": "web",
    "grafana_api": "web",
    "httpx": "web",
    "influxdb_client": "collector",
    "nicegui": "web",
    "numpy": "collector",
    "prometheus_client": "collector",
    "uvicorn": "web",
}


def _stop(error: object, status: int) -> None:
    sys.stderr.write("\n".join(visible(line) for line in f"memfleet: {error}".split("\n")) + "\n")
    raise SystemExit(status)
