"""How many tests run at a time: few for few tests."""

from __future__ import annotations

import os

import pytest

from harness.cli import workers

TWO_FOR_EACH = 2 * (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        (None, TWO_FOR_EACH),
        ("v4", TWO_FOR_EACH),  # no test is called so
        ("not chunks_do_not_matter", TWO_FOR_EACH),
        ("services", TWO_FOR_EACH),  # a folder
        ("test_echo", TWO_FOR_EACH),  # a file
        ("chunks_do_not_matter", 1),
        ("CHUNKS_DO_NOT_MATTER", 1),
        ("check_chunks_do_not_matter and v4 and echo_asyncio", 1),
        ("returns_what_it_gets or chunks_do_not_matter", min(2, TWO_FOR_EACH)),
    ],
)
def test_the_words_of_k_tell_how_many_are_needed(expression: str | None, number: int) -> None:
    """What names one test needs one process; what names none may mean all."""
    assert workers.default(2, expression) == number


def test_a_test_may_be_put_to_many() -> None:
    """One test of a proof has some thirty mutants: they need not wait for each other."""
    assert workers.default(10, "chunks_do_not_matter", each=4) == min(4, 10 * (os.cpu_count() or 1))


def test_with_none_pytest_xdist_is_not_asked() -> None:
    assert workers.words(0) == []
    assert workers.words(3)[:2] == ["-n", "3"]
