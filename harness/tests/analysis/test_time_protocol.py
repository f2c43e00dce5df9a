"""Values of the time protocol against moments: RFC 868's own examples, wrong epochs and orders, and the year 2036."""

from __future__ import annotations

import calendar

import pytest

from harness.analysis.time_protocol import SINCE_1900, ahead

NOON = calendar.timegm((2024, 2, 29, 12, 0, 0))


def value(seconds: int) -> bytes:
    return (seconds % 2**32).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("seconds", "day"),
    [(2_208_988_800, (1970, 1, 1)), (2_398_291_200, (1976, 1, 1)), (2_524_521_600, (1980, 1, 1))],
)
def test_examples_of_the_document(seconds: int, day: tuple[int, int, int]) -> None:
    assert ahead(value(seconds), calendar.timegm((*day, 0, 0, 0))) == 0


@pytest.mark.parametrize("seconds", [-3600, -1, 0, 1, 3600])
def test_a_clock_that_is_off(seconds: int) -> None:
    assert ahead(value(NOON + seconds + SINCE_1900), NOON) == seconds


def test_parts_of_a_second_count() -> None:
    assert ahead(value(NOON + SINCE_1900), NOON + 0.75) == -0.75


def test_the_count_begins_again_in_2036() -> None:
    later = 2**32 - SINCE_1900 + 10
    assert value(later + SINCE_1900) == value(10)
    assert ahead(value(10), later) == 0


def test_wrong_epoch_and_wrong_order_are_far_off() -> None:
    assert abs(ahead(value(NOON), NOON)) > 10**9
    assert abs(ahead(value(NOON + SINCE_1900)[::-1], NOON)) > 10**6
