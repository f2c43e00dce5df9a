"""Whose fault an exception is, and so what a test answers. Values only: nothing is read or written here.

A `Mismatch` is the subject's doing, and so is a bare assert that stands in a suite, or a call at the far end that
failed with an OSError (`harness.subject.answers`). `Inconclusive` and `NotApplicable` say what they are. Anything else
is a mistake of the test or of the harness, an assert in the library among it: error. So is whatever goes wrong in
set-up: a fixture claims nothing.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.plugin.selection import is_judged
from harness.record.result import READY
from harness.subject.answers import answered, came_from_there, source_of
from harness.subject.beginning import NotReady
from harness.verdict import Finding, Inconclusive, Level, Mismatch, NotApplicable, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.spec.catalogue import Requirement


_CONDITION = re.compile(r"assert (?P<actual>.+?) (?P<how>==|is not|is|!=|not in|in|<=|>=|<|>) (?P<expected>.+)")
_WORDS = {
    "==": "",
    "is": "",
    "!=": "another than ",
    "is not": "another than ",
    "in": "one of ",
    "not in": "none of ",
    "<": "less than ",
    ">": "more than ",
    "<=": "at most ",
    ">=": "at least ",
}


@dataclass(frozen=True)
class Judgment:
    """What one test came to, before it is written down."""

    findings: tuple[Finding, ...] = ()
    verdict: Verdict = Verdict.PASS
    reason: str = ""
    cited: Mapping[int, str] | None = None


@dataclass(frozen=True)
class Place:
    """Where something was raised: the innermost frame of its traceback."""

    file: str
    line: int

    def in_a_suite(self, root: Path) -> bool:
        """Whether the file belongs to a suite: those of a project that lies at `root`, or those that come along."""
        path = Path(self.file)
        return any(
            is_judged(f"{path.relative_to(top).as_posix()}")
            for top in (root, bundle.root())
            if path.is_relative_to(top)
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of(raised: BaseException) -> Place:
    """Where it was raised; of what a function raised that the test sent to the far end, the file of that function."""
    if source := source_of(raised):
        return Place(source, 0)
    frames = list(traceback.walk_tb(raised.__traceback__))
    return Place(frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else Place("", 0)


def judgment(raised: BaseException | None, governing: Requirement | None, root: Path, *, in_setup: bool) -> Judgment:
    """What a test answers that raised this, where its suite lies in a project at `root`."""
    requirement = governing.id if governing else ""
    missed = governing.level.missed if governing else Level.MUST.missed
    match raised:
        case None:
            return Judgment()
        case NotApplicable():
            return Judgment((), Verdict.NOT_APPLICABLE, str(raised))
        case pytest.skip.Exception():
            return Judgment((), Verdict.NOT_APPLICABLE, str(raised.msg))
        case Inconclusive():
            found = Finding(Verdict.INCONCLUSIVE, requirement, "", str(raised))
            return Judgment((found,), found.verdict, str(raised))
        case AssertionError() if not in_setup and (isinstance(raised, Mismatch) or place_of(raised).in_a_suite(root)):
            found = _missed(raised, missed, requirement)
            return Judgment((found,), missed, cited=getattr(raised, "cited", None))
        case BaseException() if not in_setup and (call := answered(raised)):
            what = f"it raised {type(raised).__name__}: {raised}".partition("\n")[0]
            text = f"expected: {call} returns\nactual:   {what}\n{trace(raised)}"
            return Judgment((Finding(missed, requirement, f"{call} returns", what, text),), missed)
        case NotReady():
            found = Finding(Verdict.ERROR, "", READY, raised.what, str(raised))
            return Judgment((found,), found.verdict, raised.what)
        case _:
            what = _mistake(raised, in_setup=in_setup)
            return Judgment((Finding(Verdict.ERROR, "", "", what, f"{what}\n{trace(raised)}"),), Verdict.ERROR, what)


def trace(raised: BaseException) -> str:
    """The whole traceback."""
    return "".join(traceback.format_exception(raised))


def _missed(raised: AssertionError, verdict: Verdict, requirement: str) -> Finding:
    if isinstance(raised, Mismatch):
        return Finding(verdict, requirement, raised.expected, raised.actual, str(raised))
    text = str(raised) or "an assertion without a message"
    first, _, rest = text.partition("\n")
    shown = first if first.startswith("assert ") else rest.strip().partition("\n")[0]
    expected, actual = _compared(shown)
    if shown != first:  # what the test says is better than what its condition says
        return Finding(verdict, requirement, first, f"{actual}, not {expected}" if expected else actual or first, text)
    return Finding(verdict, requirement, expected or f"what the test asserts: {actual or first}", actual or first, text)


def _compared(condition: str) -> tuple[str, str]:
    """What an assert expected and what was there, from the condition as pytest shows it; "" where it does not tell."""
    if told := _CONDITION.fullmatch(condition):
        return f"{_WORDS[told['how']]}{told['expected']}", told["actual"]
    if condition.startswith("assert not "):
        return "", f"it is {condition.removeprefix('assert not ')}"
    return "", condition.removeprefix("assert ")


def _mistake(raised: BaseException, *, in_setup: bool) -> str:
    """What went wrong on our side, in one line."""
    what = f"{type(raised).__name__}: {raised}".partition("\n")[0]
    if came_from_there(raised):
        return f"{what}; a call at the far end raised it that is no OSError, so the test asked for what does not exist"
    if isinstance(raised, AssertionError) and not in_setup:
        return f"{what}; it was asserted in {place_of(raised)}, which is no suite"
    return what
