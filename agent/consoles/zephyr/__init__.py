"""Zephyr: heaps, stacks, boot banners, fatal errors."""

from agent.consoles.form import Form
from agent.consoles.zephyr.heaps import HeapDumpForm, HeapLineForm, KernelHeapForm
from agent.consoles.zephyr.life import BannerForm, FatalForm, ShortageForm
from agent.consoles.zephyr.stacks import ShellThreadForm, StackLineForm

FORMS: tuple[type[Form], ...] = (
    FatalForm,
    BannerForm,
    HeapLineForm,
    StackLineForm,
    ShellThreadForm,
    KernelHeapForm,
    HeapDumpForm,
    ShortageForm,
)
"""In the order in which they are asked."""
