"""Soaks: who asks for them gets them, and a proof those that a mutant is there for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

SUITE = '''
    PROFILES = ("echo",)

    @covers("house:any/volume")
    def check_that_a_mutant_is_there_for(subject, soak):
        """A mutant breaks what governs it."""

    @covers("house:any/soak", "house:any/volume")
    def check_that_no_mutant_is_there_for(subject, soak):
        """A mutant breaks what it covers besides."""

    @covers("house:any/volume")
    def check_without_a_soak(subject):
        """Belongs to every run."""
'''


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ((), {"without_a_soak"}),
        (("--soak=1",), {"without_a_soak", "that_a_mutant_is_there_for", "that_no_mutant_is_there_for"}),
        (("--mutants", "--family=v4"), {"without_a_soak", "that_a_mutant_is_there_for"}),
    ],
    ids=["a check", "a soak", "a proof"],
)
def test_a_soak_is_left_out_where_it_is_not_wanted(sandbox: Sandbox, words: tuple[str, ...], chosen: set[str]) -> None:
    """In a proof one stays that a mutant has to be rejected by."""
    sandbox.suite(SUITE)

    out = sandbox.pytest("--collect-only", *words).out

    assert set(re.findall(r"::check_(\w+)\[", out)) == chosen
