"""What people and programs see: HTTP API, page, metrics and health."""

from collector.web.process import run

__all__ = ["run"]
