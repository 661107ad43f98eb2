"""Inputs: where console bytes come from. An input never waits, and says by an OSError that it has gone."""

from agent.inputs.input import Input
from agent.inputs.opening import REMOTE, open_input, open_trouble

__all__ = ["REMOTE", "Input", "open_input", "open_trouble"]
