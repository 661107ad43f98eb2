"""FreeRTOS: task tables."""

from agent.consoles.form import Form
from agent.consoles.freertos.task_table import TaskTableForm

FORMS: tuple[type[Form], ...] = (TaskTableForm,)
"""In the order in which they are asked."""
