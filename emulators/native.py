"""The compiled core, or a sentence where it was not built."""

from __future__ import annotations

from telemetry.errors import EnvironmentFault

try:
    from emulators import _core as core
except ImportError as error:
    raise EnvironmentFault(
        f"the emulated heaps are not built ({error}); install a C compiler, then memfleet[emulators] once more",
        retry=False,
    ) from error

__all__ = ["core"]
