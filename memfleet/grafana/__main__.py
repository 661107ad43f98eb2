"""Writes the dashboards as files, for those who provision Grafana by files: `python -m memfleet.grafana`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memfleet.grafana.sets import SETS


def written(model: dict[str, Any]) -> str:
    """A dashboard as text that changes only where the dashboard does."""
    return json.dumps(model, indent=2, sort_keys=True) + "\n"


def files() -> dict[str, str]:
    """Every dashboard's file below the folder of dashboards, with its text."""
    return {
        f"{kind}/{model['uid'].removeprefix('memfleet-').removesuffix('-metrics')}.json": written(model)
        for kind, make in SETS.items()
        for model in make()
    }


if __name__ == "__main__":
    for name, text in files().items():
        path = Path("deploy/grafana/dashboards", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
