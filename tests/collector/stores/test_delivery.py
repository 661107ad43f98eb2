from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.stores.delivery import Answer, action_for, deliver, retry_after


class Server:
    """Stores lines as InfluxDB does: all of a request or, with `partial`, all but the bad ones."""

    def __init__(
        self, bad: Callable[[str], bool], *, status: int = 400, partial: bool = True, most: int = 10**9
    ) -> None:
        self.bad, self.status, self.partial, self.most = bad, status, partial, most
        self.stored: set[str] = set()
        self.requests = 0

    def __call__(self, body: bytes) -> Answer:
        self.requests += 1
        lines = body.decode().split("\n")
        if len(body) > self.most:
            return Answer(413, "too large")
        good = [line for line in lines if not self.bad(line)]
        if len(good) == len(lines) or self.partial:
            self.stored.update(good)
        return Answer(204) if len(good) == len(lines) else Answer(self.status, "unable to parse")


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("at", [0, 1, 2499, 2500, 4998, 4999])
def test_one_bad_line_among_5000_is_found_in_28_requests(status: int, partial: bool, at: int) -> None:
    lines = [f"line{n}" for n in range(5000)]
    server = Server(lambda line: line == f"line{at}", status=status, partial=partial)
    outcome = deliver(server, lines)
    assert outcome.settled
    assert outcome.accepted == 4999
    assert outcome.rejected == [(f"line{at}", f"{status}: unable to parse")]
    assert server.stored == set(lines) - {f"line{at}"}
    assert server.requests <= 2 * math.ceil(math.log2(5000)) + 2 == 28


@given(st.lists(st.integers(0, 99), max_size=80, unique=True), st.sets(st.integers(0, 99)), st.booleans())
def test_every_line_is_stored_or_refused_and_never_both(numbers: list[int], bad: set[int], partial: bool) -> None:
    lines = [f"n{number}" for number in numbers]
    server = Server(lambda line: int(line[1:]) in bad, partial=partial)
    outcome = deliver(server, lines)
    refused = [line for line, _ in outcome.rejected]
    assert sorted([*server.stored, *refused]) == sorted(lines)
    assert outcome.accepted == len(server.stored)
    assert all(int(line[1:]) in bad for line in refused)


def test_a_large_batch_is_split_and_a_line_too_large_by_itself_refused() -> None:
    server = Server(lambda line: False, most=100)
    outcome = deliver(server, [f"line{n:02}" for n in range(50)] + ["x" * 101])
    assert outcome.accepted == 50
    assert [reason for _, reason in outcome.rejected] == ["413: too large"]


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_trouble_of_the_server_waits_and_settles_nothing(status: int) -> None:
    outcome = deliver(lambda body: Answer(status, "busy", retry_after_s=7.0), ["a", "b"])
    assert not outcome.settled
    assert (outcome.retry_after_s, outcome.hold, outcome.accepted, outcome.rejected) == (7.0, None, 0, [])


def test_trouble_in_the_middle_of_a_search_settles_nothing_either() -> None:
    answers = iter([Answer(400, "bad"), Answer(204), Answer(400, "bad"), Answer(503, "busy")])
    outcome = deliver(lambda body: next(answers), ["a", "b", "c", "d"])
    assert (outcome.settled, outcome.accepted, outcome.rejected) == (False, 0, [])


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Answer(401, "unauthorized"), "check token_file, username and password_file"),
        (Answer(403, 'database not found: "x"'), "create it there"),
        (Answer(403, "forbidden"), "check token_file, username and password_file"),
        (Answer(404, "no bucket"), "check url, api, database and bucket"),
        (Answer(405), "check url, api and what stands between"),
        (Answer(302), "check url, api and what stands between"),
        (Answer(400, "partial write: max-series-per-database limit exceeded: dropped=6"), "a limit of the server"),
    ],
)
def test_what_a_person_must_change_is_held_with_advice(answer: Answer, advice: str) -> None:
    sent: list[bytes] = []

    def send(body: bytes) -> Answer:
        sent.append(body)
        return answer

    outcome = deliver(send, ["a", "b"])
    assert outcome.hold is not None
    assert advice in outcome.hold
    assert not outcome.settled
    assert len(sent) == 1


def test_no_lines_need_no_request() -> None:
    assert deliver(lambda body: pytest.fail("sent"), []).settled


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("", None), ("3", 3.0), ("0.5", 0.5), ("-3", 0.0), ("1e9", 600.0), ("nan", None), ("soon", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 100.0) == seconds


@pytest.mark.parametrize(
    ("action", "statuses"),
    [
        ("stored", (200, 204)),
        ("halve", (400, 413, 422)),
        ("wait", (0, 408, 429, 500, 503)),
        ("hold", (301, 401, 403, 404, 418)),
    ],
)
def test_the_table_of_answers(action: str, statuses: tuple[int, ...]) -> None:
    assert {action_for(Answer(status)) for status in statuses} == {action}
