"""Detectors look at the history of a series and tell what grows; rules decide who is told."""
