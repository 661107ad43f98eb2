"""Writes the dashboards as files, for those who provision Grafana by files: `python -m memfleet.grafana`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memfleet.grafana.fleet import dashboard


def written(model: dict[str, Any]) -> str:
    """A dashboard as text that changes only where the dashboard does."""
    return json.dumps(model, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    folder = Path("deploy/grafana/dashboards")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fleet.json").write_text(written(dashboard()))
