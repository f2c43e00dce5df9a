"""What the gate, a difference and a merge say to a person: lines for a terminal, what has to be done first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.gate.difference import Change
from harness.gate.judgement import Wrong
from harness.report.visible import one_line
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.gate.difference import Comparison, Difference
    from harness.gate.judgement import Judgement, Untrue
    from harness.gate.shards import Joined
    from harness.report.model import Exit

_NAMED = 20  # tests of one kind that are named


def judgement(judged: Judgement, baseline: str, folder: str) -> str:
    """What the gate says of a run: what is new, which lines of the baseline to touch, what is not known."""
    lines: list[str] = []
    lines += _headed("new", (str(one) for one in judged.new))
    lines += _headed(f"no longer true in {baseline}", _untrue(judged.untrue, baseline))
    if judged.untrue:
        lines += [f"  sockspec baseline update {folder} --baseline {baseline} does this"]
    lines += _headed("inconclusive or broken", (f"{row.verdict}  {row.test}: {row.reason}" for row in judged.open))
    lines += _headed("planned and never reported", judged.lost)
    lines += _headed("reported more than once", judged.duplicates)
    lines += _headed("a SHOULD missed, which fails under --strict only", (str(one) for one in judged.tolerated))
    lines += _headed("could not be asked", judged.unrecorded)
    known = Counter(entry for _, entry in judged.accepted)
    lines += _headed(
        "known and accepted",
        (
            f"{baseline}:{entry.line}  {_plural(times, 'finding')}  {entry.test}: {entry.reason}"
            + (f" (until {entry.until})" if entry.until else "")
            for entry, times in known.items()
        ),
    )
    return _page(lines, judged.exit, _GATE.get(judged.exit))


def comparison(compared: Comparison) -> str:
    """What has changed, a section for each kind of change."""
    lines: list[str] = []
    for change in Change:
        lines += _headed(str(change), _changes([one for one in compared.tests if one.change is change]))
    facts = (f"{name}: {left or '-'} → {right or '-'}" for name, (left, right) in compared.machines.items())
    lines += _headed("the machine differs", facts)
    counts = Counter(one.change for one in compared.tests)
    told = " · ".join(f"{counts[change]} {change}" for change in Change if counts[change])
    return _page(
        [*lines, *([""] if lines else []), told or "no test answers otherwise"], compared.exit, _DIFF.get(compared.exit)
    )


def joined(whole: Joined) -> str:
    """What a merge has to say beside the summary of the whole."""
    lines = [f"shard {shard} is missing; judge it and merge again" for shard in whole.missing]
    return "".join(f"{one_line(line)}\n" for line in (*lines, *whole.notes))


_GOOD = {"", Verdict.PASS.value, Verdict.NOT_APPLICABLE.value}
_DIFF = {
    0: "nothing got worse",
    1: "something is newly failing",
    6: "something is not known any more",
}
_GATE = {0: "nothing but what is known", 1: "something is new, or the baseline is not true"}


def _page(lines: Sequence[str], code: Exit, meaning: str | None) -> str:
    begun = [*lines, *([""] if lines else []), f"exit    {int(code)}  {meaning or code.meaning}"]
    return "\n".join(begun[1:] if begun[0] == "" else begun) + "\n"


def _untrue(untrue: Iterable[Untrue], baseline: str) -> Iterator[str]:
    for one in untrue:
        first, last = one.lines
        place = f"{baseline}:{first}" + (f"-{last}" if last > first else "")
        yield f"{place}  {'delete' if one.delete else 'change'}  {one.known.test}: {one.wrong}"
        if one.wrong is Wrong.EXPIRED:
            yield f"  it was accepted until {one.known.until}: {one.known.reason}"
        if one.wrong is not Wrong.GONE:
            yield from (f"  passes: {test}" for test in one.met)
        yield from (f"  {said.row.test} says: {said.said}" for said in one.otherwise)


def _changes(changes: Sequence[Difference]) -> Iterator[str]:
    """A line for each test; one for all those that change alike by the same cause, which are named by it."""
    by_cause: dict[tuple[str, bool], list[Difference]] = {}
    for one in changes:
        if one.cause:
            by_cause.setdefault((one.cause, one.after in _GOOD), []).append(one)
    for (cause, gone), same in by_cause.items():
        arrows = ", ".join(f"{times} {arrow}" for arrow, times in Counter(one.arrow for one in same).items())
        yield f"{'no longer: ' if gone else ''}{cause}"
        yield f"  {_plural(len(same), 'test')} ({arrows}), the first of them {same[0].test}"
    yield from (str(one) for one in changes if not one.cause)


def _headed(head: str, lines: Iterable[str]) -> list[str]:
    """A section, or nothing where there is nothing to tell."""
    told = [one_line(line) for line in lines]
    if not told:
        return []
    rest = [f"  … and {len(told) - _NAMED} more"] if len(told) > _NAMED else []
    return ["", f"{head}:", *(f"  {line}" for line in told[:_NAMED]), *rest]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
