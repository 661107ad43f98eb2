"""FreeRTOS: task tables."""
