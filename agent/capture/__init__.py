"""Capture: the raw log of a console, kept on the agent's disk as it was received."""

from agent.capture.reading import Entry, captured_devices, read_capture
from agent.capture.writing import CaptureWriter, Limits

__all__ = ["CaptureWriter", "Entry", "Limits", "captured_devices", "read_capture"]
