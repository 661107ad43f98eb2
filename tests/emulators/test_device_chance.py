"""The stream of random numbers: the published one, and within its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulators.chance import Chance


def test_the_stream_is_that_of_splitmix64() -> None:
    chance = Chance(1234567)
    assert [chance.word() for _ in range(5)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


@given(st.integers(), st.integers(1, 2**40), st.integers(-1000, 1000), st.integers(0, 1000))
def test_numbers_stay_within_their_bounds(seed: int, bound: int, low: int, span: int) -> None:
    chance = Chance(seed)
    assert 0 <= chance.below(bound) < bound
    assert low <= chance.between(low, low + span) <= low + span


@given(st.integers(), st.text(max_size=20))
def test_a_child_does_not_depend_on_how_far_its_parent_has_come(seed: int, name: str) -> None:
    early, late = Chance(seed), Chance(seed)
    late.word()
    assert early.child(name).word() == late.child(name).word()
    assert Chance(seed).child("plan").word() != Chance(seed).child("phase").word()
