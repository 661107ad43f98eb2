"""What a server's answer means, and how a batch gets through it: bad lines are found, large batches split. Pure.

204, 200                stored
400, 422                some line is bad: halve until it stands alone, refuse it with the server's reason
413                     too large: halve
429, 408, 5xx, none     try again later; Retry-After is honoured
401, 403, 404, others   hold: a person has to change something; tried again now and then
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

NO_ANSWER = 0
MOST_RETRY_AFTER_S = 600.0

Action = Literal["stored", "halve", "wait", "hold"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one request. Status 0: it said nothing. `refused`: nobody listens at its port."""

    status: int
    text: str = ""
    retry_after_s: float | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch.

    Either all of it is settled (`accepted` lines and the `rejected` ones, each with a reason), or none of it counts
    and it is to be written again: after `retry_after_s` at the earliest (0: as the caller's back-off says), or, with
    `hold`, once somebody has acted on that sentence. `forgotten`: the server may have lost what it last accepted.
    """

    accepted: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    retry_after_s: float | None = None
    hold: str | None = None
    reason: str = ""
    forgotten: bool = False

    @property
    def settled(self) -> bool:
        """Whether every line is either stored or refused."""
        return self.retry_after_s is None and self.hold is None


class Store(Protocol):
    """A server of series. `life` names one run of it, None while unknown; `warning` says what is set wrong there."""

    name: str

    def write(self, lines: Sequence[str]) -> Outcome:
        """Write a batch, in order; network and server errors are outcomes, not exceptions."""

    def life(self) -> str | None:
        """Which run of the server this is."""

    def warning(self) -> str:
        """A sentence on a wrong setting of the server, or nothing."""


def action_for(answer: Answer) -> Action:
    """What to do about an answer: the table above."""
    status = answer.status
    if 200 <= status < 300:
        return "stored"
    if status in (400, 422):
        return "hold" if _LIMIT(answer.text) else "halve"
    if status == 413:
        return "halve"
    if status in (NO_ANSWER, 408, 429) or status >= 500:
        return "wait"
    return "hold"


_LIMIT = re.compile(r"max-series-per-database|max-values-per-tag").search  # no line is bad: the database is full


def deliver(send: Callable[[bytes], Answer], lines: Sequence[str]) -> Outcome:
    """Get a batch through `send`. One bad line among N costs at most 2 * ceil(log2(N)) + 1 requests.

    Good lines may be sent twice: the same series and time overwrite. Lines rejected with 413 alone are refused, too.
    """
    accepted = 0
    rejected: list[tuple[str, str]] = []
    parts = [list(lines)] if lines else []
    while parts:
        part = parts.pop()
        answer = send("\n".join(part).encode())
        action = action_for(answer)
        if action == "stored":
            accepted += len(part)
        elif action == "halve" and len(part) == 1:
            rejected.append((part[0], f"{answer.status}: {answer.text}"))
        elif action == "halve":
            middle = len(part) // 2
            parts += [part[middle:], part[:middle]]
        elif action == "wait":
            said = f"HTTP {answer.status} {answer.text}" if answer.status else answer.text
            return Outcome(retry_after_s=answer.retry_after_s or 0.0, reason=said, forgotten=answer.refused)
        else:
            return Outcome(hold=_advice(answer))
    return Outcome(accepted, rejected)


def _advice(answer: Answer) -> str:
    said = f"HTTP {answer.status} {answer.text}".strip()
    if "database not found" in answer.text:  # who may not create one is told so with 403
        return f"the server has no such database ({said}); create it there, or check database"
    if answer.status in (401, 403):
        return f"the server refuses the login ({said}); check token_file, username and password_file"
    if answer.status == 404:
        return f"the server knows no such database, bucket or path ({said}); check url, api, database and bucket"
    if answer.status in (400, 422):
        return f"a limit of the server is reached ({said}); raise it there or write to another database"
    return f"the server does not take writes ({said}); check url, api and what stands between"


def retry_after(header: str | None, now_s: float) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date), at most ten minutes; None without one."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - now_s
        except ValueError:
            return None
    return min(max(seconds, 0.0), MOST_RETRY_AFTER_S) if seconds == seconds else None
