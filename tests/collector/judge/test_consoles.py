"""What boards print on their consoles, judged by the rules that ship: an ESP32 prints each region of its heap."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from agent.consoles.console import Console
from agent.consoles.fact import Fact
from emulators.consoles import EmulatedConsole
from tests.collector.judge.stream import Bench, rows

PERIOD_S = 10

MIXED = """\
Heap summary for capabilities 0x00000004:
  At 0x3fc94000 len 300000 free {free} allocated {used} min_free 3000
    largest_free_block 2304 alloc_blocks 410 free_blocks 9 total_blocks 419
  At 0x3c0b0000 len 8388608 free 8000000 allocated 380000 min_free 7000000
    largest_free_block 7864320 alloc_blocks 30 free_blocks 4 total_blocks 34
  Totals:
    free {all_free} allocated {all_used} min_free 7003000 largest_free_block 7864320
"""


class Desk(Bench):
    """A judge that reads a console."""

    def __init__(self) -> None:
        super().__init__()
        self.parser = Console("esp32")
        self.boot = 1

    def read(self, text: bytes) -> list[Fact]:
        """One period, with what was printed in it."""
        facts = self.parser.feed(text)
        self.second(*self._blocks(facts), seconds=PERIOD_S)
        return facts

    def _blocks(self, facts: Iterable[Fact]) -> Iterable[object]:
        for fact in facts:
            if fact.kind in ("heap", "task", "stack", "process"):
                yield rows(
                    "board", fact.kind, fact.names, self.now_ms + PERIOD_S * 1000 - 100, dict(fact.values),
                    flags=fact.flags, resolution=fact.resolution,
                )  # fmt: skip

    def told(self) -> set[tuple[str, tuple[str, ...]]]:
        """Every rule that fired, and of what."""
        return {(one.rule, one.names) for one in self.findings if one.status == "firing"}


def watched(workload: str, board: str, hours: float) -> tuple[Desk, list[Fact]]:
    """A board's console for so long; all that it printed."""
    desk, console = Desk(), EmulatedConsole("esp32", workload, seed=7, period_s=PERIOD_S, board=board)
    facts = [
        fact for now_s in range(0, int(hours * 3600), PERIOD_S) for fact in desk.read(console.advance(now_s * 1000))
    ]
    return desk, facts


@pytest.mark.parametrize("workload", ["steady", "server"])
@pytest.mark.parametrize("board", ["esp32", "esp32c3"])
def test_a_healthy_board_whose_regions_fill_one_after_the_other_is_let_be(board: str, workload: str) -> None:
    desk, facts = watched(workload, board, 0.5)
    heaps = [fact.values for fact in facts if fact.kind == "heap" and "free" in fact.values and "size" in fact.values]
    assert any(int(one["free"]) < 0.03 * int(one["size"]) for one in heaps), "no region was full"
    assert not desk.told()


def test_a_leak_is_told_of_what_the_task_holds_in_total_and_of_no_region() -> None:
    desk, _ = watched("slow-leak-tracked", "esp32", 0.5)
    (found,) = desk.findings
    assert (found.rule, found.names) == ("task-leak", ("uploader", "total"))
    assert found.reason.startswith("The memory that task uploader holds in total grows by 2")


@pytest.mark.parametrize(("free", "lost", "is_told"), [(4_000, 0, True), (4_000, 20_000, False), (200_000, 0, False)])
def test_internal_memory_that_ends_beside_much_external_memory_is_told(free: int, lost: int, is_told: bool) -> None:
    """But not of a summary of which a region was lost: `lost` bytes are in the totals and in no region."""
    desk = Desk()
    text = MIXED.format(free=free, used=290_000 - free, all_free=8_000_000 + free, all_used=670_000 - free + lost)
    for _ in range(6):
        desk.read(text.encode())
    assert {rule for rule, _ in desk.told()} == ({"heap-low", "heap-nearly-full"} if is_told else set())
    assert {names for _, names in desk.told()} <= {("caps 0x00000804",)}
