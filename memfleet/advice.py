"""What to say of a console that was read: how much was understood; what to switch on where nothing was."""

from __future__ import annotations

from agent.consoles import Console

_ADVICE = {
    "zephyr": (
        "Zephyr: set CONFIG_SYS_HEAP_RUNTIME_STATS=y and print sys_heap_runtime_stats_get(), or set "
        "CONFIG_THREAD_ANALYZER=y with CONFIG_THREAD_ANALYZER_AUTO=y (stacks need CONFIG_INIT_STACKS=y and "
        "CONFIG_THREAD_STACK_INFO=y)."
    ),
    "esp32": (
        "ESP-IDF: call heap_caps_print_heap_info(MALLOC_CAP_8BIT) now and then, or switch on CONFIG_HEAP_TASK_TRACKING "
        "and print the task overview."
    ),
    "mt3620": (
        "Azure Sphere: log Applications_GetUserModeMemoryUsageInKB() and its two siblings, or run "
        "`azsphere device app show-memory-stats` in a loop and pipe it in."
    ),
    "freertos": "FreeRTOS: print vTaskList() (configUSE_TRACE_FACILITY) and xPortGetFreeHeapSize().",
}
_NOT_KNOWN = (
    "The system was not recognised. Known are Azure Sphere, ESP-IDF and Arduino on it, FreeRTOS and Zephyr; "
    "--system names it."
)
_ANY = f"Is the speed right (--baud)? {_NOT_KNOWN}"


def read_of(console: Console) -> str:
    """How much of a console was read, and how much of it was not believed."""
    refused = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in console.refused.items() if count)
    return f"{console.lines} lines, {console.understood} understood{f' (not believed: {refused})' if refused else ''}"


def nothing_read(console: Console) -> str:
    """The sentence for a log that holds no reading of memory."""
    if not console.lines:
        return "no line is in it"
    return f"no reading of memory is in it ({read_of(console)}). {_ADVICE.get(console.system or '', _NOT_KNOWN)}"


def no_memory_yet(waited_s: float, lines: int, understood: int, system: str | None) -> str:
    """The sentence for a console that has printed no memory for so long."""
    said = f"No line about memory for {waited_s:.0f} s: {lines} lines read, {understood} understood."
    if lines == 0:
        return f"{said} The port is open and silent: is the board powered, is this its console, is --baud right?"
    return f"{said} {_ADVICE.get(system or '', _ANY)}"
