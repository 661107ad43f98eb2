"""Parts of a collector, by name; each in a process of its own: `python -m memfleet.part --config FILE --only NAME`.

So a supervisor starts parts; `memfleet collect --only NAME` does the same for people and service units. To read options
as a command does takes each of six processes a quarter of a second and 12 MB: that is left out here.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from collector.config import CollectorConfig
from collector.consumer import Stop
from collector.ownfile import own_files
from memfleet.adoption import adopted_settings, move_in, taken_over
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.program import run_program
from telemetry.claim import Claim
from telemetry.errors import UsageError
from telemetry.files import make_folder
from telemetry.settings import load

_MODULES = {
    "intake": "collector.intake.process",
    "series": "collector.series.process",
    "judge": "collector.judge.process",
    "notify": "collector.notify.process",
    "page": "collector.web.process",
}
"""The parts that every collector has, in the order in which they are started."""


def part_names(config: CollectorConfig) -> list[str]:
    """All parts that this configuration asks for, in the order in which they are started."""
    return [*_MODULES, *(f"store:{store.name}" for store in config.stores)]


def run_part(name: str, config: CollectorConfig, directory: Path, stop: Stop) -> None:
    """Run one part until stopped. UsageError for a name that is none."""
    if name not in part_names(config):
        raise UsageError(f"no part {name!r}; this configuration has {', '.join(part_names(config))}")
    if name in _MODULES:
        importlib.import_module(_MODULES[name]).run(config, directory, stop)
    else:
        stores = importlib.import_module("collector.stores.process")
        stores.run(config, directory, stop, name.removeprefix("store:"))


_SHARDS = re.compile("([0-9a-f]{2})(?:-([0-9a-f]{2}))?")


class Asked(NamedTuple):
    """Which collectors to run: that of a configuration (None: every setting's default) with its shards (`00-7f`; None:
    all), and the dead ones in those folders, which it adopts."""

    config: Path | None
    shards: str | None = None
    adopted: tuple[Path, ...] = ()

    def collectors(self) -> list[CollectorConfig]:
        """The settings of each, its own first. UsageError, ConfigError."""
        owned = tuple(shard_range(self.shards)) if self.shards is not None else None
        own = load(CollectorConfig, self.config, os.environ, shards=owned)
        return [own, *(adopted_settings(own, folder, place) for place, folder in enumerate(self.adopted, 1))]

    def command(self, part: str) -> list[str]:
        """A command line that runs one part of the last of them, with this very Python."""
        words = ["--config", str(self.config)] if self.config else []
        words += ["--shards", self.shards] if self.shards is not None else []
        words += [word for folder in self.adopted for word in ("--adopt", str(folder))]
        return [sys.executable, "-m", "memfleet.part", *words, "--only", part]


def run_alone(asked: Asked, part: str) -> None:
    """Run one part of the last collector until a signal ends it. EnvironmentFault while it runs already."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    own, *adopted = asked.collectors()
    config = adopted[-1] if adopted else own
    directory = Path(config.data_dir)
    die_with_parent()
    with contextlib.closing(_claim(part, config, directory)), contextlib.ExitStack() as folder:
        if adopted:
            folder.enter_context(taken_over(directory, own.name))
        else:
            move_in(config, directory)
        run_part(part, config, directory, stop_on_signals())


def _claim(part: str, config: CollectorConfig, directory: Path) -> Claim:
    """The right to be the one that runs it there."""
    file = own_files([store.name for store in config.stores]).get(part)
    if file is None:
        raise UsageError(f"no part {part!r}; this configuration has {', '.join(part_names(config))}")
    make_folder(directory)
    return Claim(directory / file)


def shard_range(text: str) -> list[str]:
    """Shards of a range: `00-7f`, or a single one."""
    found = _SHARDS.fullmatch(text.lower())
    numbers = range(int(found[1], 16), int(found[2] or found[1], 16) + 1) if found else range(0)
    if not numbers:
        raise UsageError(f"--shards {text!r}: write two hex digits or a range of them, as 00-7f")
    return [f"{number:02x}" for number in numbers]


def main() -> None:
    """Read the options that `Asked.command` writes."""
    options = argparse.ArgumentParser(prog="python -m memfleet.part")
    options.add_argument("--config", type=Path)
    options.add_argument("--shards")
    options.add_argument("--adopt", type=Path, action="append", default=[])
    options.add_argument("--only", required=True)
    given = options.parse_args()
    run_program(lambda: run_alone(Asked(given.config, given.shards, tuple(given.adopt)), given.only))


if __name__ == "__main__":
    main()
