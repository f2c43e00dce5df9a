"""What mutants.toml says, read into values."""

from __future__ import annotations

from harness import bundle
from harness.proof.mutants import Mutant, parse, read
from harness.spec.catalogue import load
from harness.subject import inventory

TABLE = """
[echo_upper]
profile = "echo"
breaks = "rfc862:tcp/octets-unchanged"
how = "Answers in upper case."
real = "a/b#1"

[udp_echo_never]
profile = "udp-echo"
breaks = "rfc862:udp/same-data"
how = "Never answers."
"""


def test_a_table_is_a_mutant() -> None:
    assert parse(TABLE) == (
        Mutant("echo_upper", "echo", "rfc862:tcp/octets-unchanged", "Answers in upper case.", "a/b#1"),
        Mutant("udp_echo_never", "udp-echo", "rfc862:udp/same-data", "Never answers."),
    )


def test_our_mutants_are_those_that_can_be_started() -> None:
    startable = inventory.mutants() | inventory.wrong_runtimes() | inventory.wrong_stacks()
    assert {mutant.name: mutant.profile for mutant in read(bundle.root())} == {
        name: program.profile for name, program in startable.items()
    }


def test_what_our_mutants_break_is_in_the_catalogue() -> None:
    assert [mutant.name for mutant in read(bundle.root()) if mutant.breaks not in load()] == []
