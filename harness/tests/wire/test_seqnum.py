"""Sequence numbers wrap, and nobody who asks `seqnum` notices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.seqnum import HALF, MASK, MODULUS, advance, after, before, distance, unwrap

numbers = st.integers(0, MASK)
steps = st.integers(-HALF, HALF - 1)


@given(numbers, steps)
def test_distance_undoes_advance(number: int, step: int) -> None:
    assert distance(number, advance(number, step)) == step


@given(numbers, steps)
def test_before_and_after_exclude_each_other_and_equality(a: int, step: int) -> None:
    b = advance(a, step)

    assert before(a, b) == (step > 0)
    assert after(a, b) == (step < 0)


def test_the_number_behind_the_largest_is_zero() -> None:
    assert advance(MASK, 1) == 0
    assert before(MASK, 0)
    assert after(0, MASK)


@given(numbers, st.integers(-HALF, 1 << 40), steps)
def test_unwrap_finds_any_count_near_enough_to_the_hint(initial: int, near: int, step: int) -> None:
    count = near + step

    assert unwrap((initial + count) % MODULUS, initial, near) == count


def test_a_stream_counts_on_beyond_four_gibioctets() -> None:
    reached = 0
    for _ in range(10):
        reached = unwrap((7 + reached + (1 << 30)) & MASK, 7, reached)

    assert reached == 10 << 30
