"""Azure Sphere (MT3620): the memory sample and its relatives, the command line's table, HeapTracker."""

from agent.consoles.azure_sphere.heap_tracker import HeapTrackerForm
from agent.consoles.azure_sphere.life import LifeForm
from agent.consoles.azure_sphere.process import ProcessForm
from agent.consoles.azure_sphere.stats_table import StatsTableForm
from agent.consoles.form import Form

FORMS: tuple[type[Form], ...] = (HeapTrackerForm, LifeForm, StatsTableForm, ProcessForm)
"""In the order in which they are asked."""
