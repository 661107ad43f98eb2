"""ESP-IDF, and Arduino on it."""

from agent.consoles.esp_idf.task_tracking import TaskTrackingForm
from agent.consoles.form import Form

FORMS: tuple[type[Form], ...] = (TaskTrackingForm,)
"""In the order in which they are asked."""
