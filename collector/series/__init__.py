"""The embedded series: what page, API and command line read."""

from collector.series.process import run

__all__ = ["run"]
