"""Rules and channels read anew while a collector runs: the parts that use them begin again, from where they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.config import CollectorConfig
from telemetry.errors import UsageError

PARTS = ("judge", "notify")
"""What begins again: both go on from their files, and a tick is judged by the old rules or by the new ones."""
_TABLES = ("judging", "notify")


def require_usable(running: Sequence[CollectorConfig], now: Sequence[CollectorConfig]) -> None:
    """ConfigError when rules or channels cannot be used as they stand now, UsageError when other settings changed: the
    parts that go on would know of nothing."""
    from collector.judge.rules import load_rules
    from collector.notify.channels import make_targets

    for old, new in zip(running, now, strict=True):
        settings = (name for name in new.__struct_fields__ if name not in _TABLES)
        if changed := [name for name in settings if getattr(old, name) != getattr(new, name)]:
            raise UsageError(f"{', '.join(changed)} changed, too: that wants a restart of the collector")
        load_rules(Path(new.judging.rules_file) if new.judging.rules_file else None)
        make_targets(new.notify, "settings")
