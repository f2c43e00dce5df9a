"""A small run: three mutants of echo, a correct server and a test of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.proof.mutants import Mutant
from harness.record.result import READY, Result
from harness.verdict import Finding, Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

OCTETS, CLOSES, SURVIVES = "rfc862:tcp/octets-unchanged", "rfc862:tcp/closes", "house:any/survives"

UPPER = Mutant("echo_upper", "echo", OCTETS, "Answers in upper case.")
NEVER = Mutant("echo_never_closes", "echo", CLOSES, "Forgets to close.")
GONE = Mutant("cheat_exits", "echo", OCTETS, "Exits at once.")
MUTANTS = (UPPER, NEVER, GONE)


def row(
    test: str,
    subject: str,
    verdict: Verdict = Verdict.PASS,
    *,
    covers: Iterable[str] = (OCTETS,),
    level: Level = Level.MUST,
    missed: Iterable[str] = (),
    variant: str = "",
) -> Result:
    """A row of one test, with a finding of the row's verdict for each requirement in `missed`."""
    name = f"{test}[v4-{subject}{variant}]"
    return Result(
        test=name,
        nodeid=name,
        group=test.partition("::")[0],
        verdict=verdict,
        subject=subject,
        profile="echo" if subject != "told" else "",
        family="v4",
        covers=tuple(covers),
        level=level,
        findings=tuple(Finding(verdict, requirement, "this", "that") for requirement in missed),
    )


def rejected(test: str, subject: str, requirement: str, verdict: Verdict = Verdict.FAIL, variant: str = "") -> Result:
    """A row that misses the one requirement that its test covers."""
    level = Level.SHOULD if verdict is Verdict.DEVIATION else Level.MUST
    return row(test, subject, verdict, covers=(requirement,), level=level, missed=(requirement,), variant=variant)


def unready(test: str, subject: str) -> Result:
    """A row of a subject that never became ready."""
    found = Finding(Verdict.ERROR, "", READY, f"{subject} ended before it was ready")
    return Result(
        test=f"{test}[v4-{subject}]", nodeid="", group="", verdict=Verdict.ERROR, subject=subject, findings=(found,)
    )


def whole() -> list[Result]:
    """A run in which `echo_never_closes` is a hole, and one test is dead weight."""
    return [
        row("echo::comes_back", "echo_asyncio"),
        rejected("echo::comes_back", UPPER.name, OCTETS),
        row("echo::comes_back", NEVER.name),
        unready("echo::comes_back", GONE.name),
        row("echo::closes", "echo_asyncio", covers=(CLOSES,)),
        row("echo::closes", UPPER.name, Verdict.INCONCLUSIVE, covers=(CLOSES,)),
        row("echo::closes", NEVER.name, covers=(CLOSES,)),
        unready("echo::closes", GONE.name),
        row("tcp::resets", "told", covers=("rfc9293:SHLD-3",), level=Level.SHOULD),
    ]
