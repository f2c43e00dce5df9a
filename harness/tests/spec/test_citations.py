"""Which tests cite which requirements, read from source; and that none of them has lost its test."""

from __future__ import annotations

import pytest

from harness import bundle
from harness.spec.catalogue import load
from harness.spec.citations import Citation, Unreadable, cited, covered, read
from harness.tests.spec import covered as kept
from harness.verdict import Level

SOURCE = """
from harness import suite
from harness.suite import covers, profiles

@profiles("echo")
@covers("b:1/x", "a:2/y")
@pytest.mark.parametrize("size", [1, 2])
def check_one(subject): ...

@suite.covers("a:2/y")
def test_two(serve): ...

def check_three(subject): ...

@covers("a:3/z")
def serves(subject): ...
"""


def test_tests_and_what_they_cover() -> None:
    """In the order of the source, the governing id first; a helper is no test."""
    assert cited(SOURCE, "suites/a/test_b.py") == [
        Citation("suites/a/test_b.py::check_one", ("b:1/x", "a:2/y")),
        Citation("suites/a/test_b.py::test_two", ("a:2/y",)),
        Citation("suites/a/test_b.py::check_three", ()),
    ]


def test_ids_once_and_sorted() -> None:
    assert covered(cited(SOURCE, "x")) == ("a:2/y", "b:1/x")


@pytest.mark.parametrize("argument", ["ID", "*IDS", 'f"{a}"', "1"])
def test_what_cannot_be_read_is_refused(argument: str) -> None:
    with pytest.raises(Unreadable, match=r"suites/test_a\.py:2: @covers takes ids as strings, written out"):
        cited(f"\n@covers({argument})\ndef test_a(): ...", "suites/test_a.py")


def test_every_test_of_the_suites_covers_a_requirement() -> None:
    """And nothing that the catalogue does not know."""
    citations = read(bundle.root())

    assert [one.nodeid for one in citations if not one.covers] == []
    assert load().unknown(covered(citations)) == []


def test_no_requirement_has_lost_its_test() -> None:
    """Who takes its last test away on purpose says so: `python -m harness.tests.spec.covered` writes the list anew."""
    listed = set(kept.LIST.read_text("utf-8").split())

    assert sorted(listed - set(kept.now())) == [], "no test covers these any more"
    assert load().unknown(sorted(listed)) == []


def test_every_must_that_can_be_seen_has_a_test_or_says_why_not() -> None:
    """One of them, and not both: a reason goes when the test comes."""
    tested = set(kept.now())
    musts = [made for made in load() if made.level is Level.MUST and made.is_observable]

    assert [made.id for made in musts if made.id not in tested and not made.untested] == [], "no test and no reason"
    assert [made.id for made in load() if made.id in tested and made.untested] == [], "a test, and a reason for none"
