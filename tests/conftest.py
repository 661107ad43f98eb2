"""What holds for every test: the Hypothesis profiles. A server that is missing fails its tests (`tests/servers.py`)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("test", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("test"), max_examples=500)
settings.load_profile("test")
