"""Intake: frames from MQTT into the readings journal, acknowledged once they are on disk. One thread."""

from collector.intake.process import run

__all__ = ["run"]
