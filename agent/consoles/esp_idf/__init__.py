"""ESP-IDF, and Arduino on it."""

from agent.consoles.esp_idf.applications import ApplicationForm, DialectForm
from agent.consoles.esp_idf.arduino import ChipReportForm
from agent.consoles.esp_idf.boot import BootForm
from agent.consoles.esp_idf.failures import FailureForm
from agent.consoles.esp_idf.heap_dump import HeapDumpForm
from agent.consoles.esp_idf.heap_summary import HeapSummaryForm
from agent.consoles.esp_idf.heap_trace import HeapTraceForm
from agent.consoles.esp_idf.panics import PanicForm, StackFaultForm
from agent.consoles.esp_idf.task_tracking import TaskTrackingForm
from agent.consoles.form import Form

FORMS: tuple[type[Form], ...] = (
    PanicForm,
    StackFaultForm,
    BootForm,
    FailureForm,
    HeapSummaryForm,
    TaskTrackingForm,
    HeapTraceForm,
    HeapDumpForm,
    ChipReportForm,
    DialectForm,
    ApplicationForm,
)
"""In the order in which they are asked; free wording comes last."""
