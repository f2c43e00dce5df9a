"""Patterns: `*` and `?` as in a shell, brackets as they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.wildcard import matches, pattern_of


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("a::b[v4]", True),
        ("a::b[v?]", True),
        ("a::b*", True),
        ("*[v4]", True),
        ("a::b", False),
        ("a::b[v6]", False),
        ("A::b[v4]", False),
        ("a::b4", False),
    ],
)
def test_a_copied_id_matches_itself(pattern: str, fits: bool) -> None:
    """A shell would read [v4] as one letter, v or 4; here it is the end of an id."""
    assert matches(pattern, "a::b[v4]") is fits


@given(st.text())
def test_the_pattern_of_a_message_fits_it(message: str) -> None:
    """Whatever a subject says."""
    assert matches(pattern_of(message), message)


def test_the_pattern_leaves_out_what_differs_from_run_to_run() -> None:
    """Numbers, addresses and quoted text."""
    assert pattern_of("b'\\x00' at octet 99999 of 0x7f, after 2.50 s: 'it\\'s'") == "* at octet * of *, after * s: *"
