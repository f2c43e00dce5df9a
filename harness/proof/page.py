"""The kill matrix for a person, as text for a terminal and as a Markdown section that stands alone.

What is not as it must be comes first: holes, false alarms, what was lost, dead weight. Then, for each profile, every
mutant with the tests that reject it, and the matrix itself: a line for each test, a sign for each mutant.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.proof.kills import Answer
from harness.report.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.proof.kills import Kills, Test
    from harness.proof.mutants import Mutant

WIDTH = 120
NAMED = 3  # tests that are named for each mutant

SIGNS = {
    Answer.PROVED: "rejected, for the requirement that the mutant breaks",
    Answer.KILLED: "rejected, for another requirement",
    Answer.UNREADY: "the mutant never became ready",
    Answer.BROKEN: "the harness broke",
    Answer.OPEN: "inconclusive",
    Answer.SILENT: "not noticed",
    Answer.UNASKED: "not asked",
}


def text(kills: Kills) -> str:
    """The whole for a terminal."""
    return "\n".join([*troubles(kills), *_proved(kills), "", *_legend(), *_grids(kills)]) + "\n"


def summary(kills: Kills) -> str:
    """One line of counts."""
    rejected = len(kills.tried) - len(kills.holes)
    parts = [
        f"{rejected} of {_plural(len(kills.tried), 'mutant')} rejected as they must be",
        _plural(len(kills.holes), "hole"),
        f"{_plural(len(kills.alarms), 'false alarm')} on {_plural(len(kills.judged), 'correct server')}",
        f"{len(kills.dead_weight)} of {_plural(len(kills.tests), 'test')} dead weight",
    ]
    if kills.absent:
        parts.append(f"{len(kills.absent)} not at hand")
    if kills.away:
        parts.append(f"{_plural(len(kills.away), 'mutant')} not at hand")
    if kills.unstable:
        parts.append(f"{len(kills.unstable)} unstable")
    if kills.lost:
        parts.append(f"{len(kills.lost)} lost")
    return " · ".join(parts)


def troubles(kills: Kills) -> Iterator[str]:
    """What a reader must see first, in lines."""
    yield summary(kills)
    if kills.holes:
        yield from _headed("holes: mutants that are not rejected for the requirement that they break")
        for mutant, why in kills.holes:
            yield f"  {mutant.name}  breaks {mutant.breaks}"
            yield from _wrapped(mutant.how, 6)
            yield from _wrapped(f"why: {why}", 6)
    if kills.alarms:
        yield from _headed("false alarms: correct servers that are rejected")
        for row in kills.alarms:
            said = row.findings[0].actual if row.findings else row.reason
            yield from _wrapped(f"{row.verdict}  {row.test}: {one_line(said)}", 2)
    if kills.known:
        yield from _headed("findings: what correct servers by others do miss (docs/findings.md)")
        for row in kills.known:
            yield from _wrapped(f"{row.test}: {one_line(row.findings[0].actual)}", 2)
    if kills.deviations:
        yield from _headed("known deviations: what this kernel is known to miss (fixtures/deviations.toml)")
        for row in kills.deviations:
            yield from _wrapped(f"{row.test}: {one_line(row.known)}", 2)
    if kills.absent:
        yield from _headed("not at hand: servers by others that were not judged")
        for reason in dict.fromkeys(kills.absent.values()):
            names = ", ".join(name for name, why in kills.absent.items() if why == reason)
            yield from _wrapped(f"{names}: {reason}", 2)
    if kills.away:
        yield from _headed("not at hand: mutants whose language is not installed, which no test was put to")
        for name, reason in kills.away.items():
            yield from _wrapped(f"{name}: {reason}", 2)
    if kills.unstable:
        yield from _headed("unstable: the verdict differed between repetitions, so the harness or the subject races")
        for line in kills.unstable:
            yield from _wrapped(one_line(line), 2)
    if kills.lost:
        yield from _headed("lost: planned and never reported")
        yield from (f"  {name}" for name in kills.lost)
    if kills.dead_weight:
        yield from _headed("dead weight: tests of a MUST that reject no mutant")
        yield from _tests(kills, kills.dead_weight)
    if kills.soft_weight:
        yield from _headed("tests of a SHOULD or MAY that reject no mutant")
        yield from _tests(kills, kills.soft_weight)
    if kills.kernel:
        yield from _headed("not proved by mutants: tests of the kernel's TCP")
        yield from (f"  {_told(test)}" for test in kills.kernel)


def markdown(kills: Kills) -> str:
    """The section, with a table for each profile."""
    lines = ["## Proof that the tests can fail", "", summary(kills), ""]
    if kills.holes:
        lines += ["### Holes", "", "| mutant | breaks | how | why it is a hole |", "|---|---|---|---|"]
        lines += [_row(f"`{m.name}`", f"`{m.breaks}`", m.how, why) for m, why in kills.holes] + [""]
    if kills.alarms:
        lines += ["### False alarms", "", "| test | verdict | actual |", "|---|---|---|"]
        for row in kills.alarms:
            said = row.findings[0].actual if row.findings else row.reason
            lines.append(_row(f"`{row.test}`", str(row.verdict), one_line(said)))
        lines.append("")
    if kills.known:
        lines += ["### Findings on servers by others", "", "| test | requirement | actual |", "|---|---|---|"]
        for row in kills.known:
            found = row.findings[0]
            lines.append(_row(f"`{row.test}`", f"`{found.requirement}`", one_line(found.actual)))
        lines.append("")
    for title, tests in (
        ("Known deviations of this kernel", [f"- `{row.test}`: {one_line(row.known)}" for row in kills.deviations]),
        ("Not at hand", [f"- `{name}`: {reason}" for name, reason in {**kills.absent, **kills.away}.items()]),
        ("Unstable: the verdict differed between repetitions", [f"- `{line}`" for line in kills.unstable]),
        ("Lost", [f"- `{name}`" for name in kills.lost]),
        ("Dead weight: tests of a MUST that reject no mutant", _bullets(kills.dead_weight)),
        ("Tests of a SHOULD or MAY that reject no mutant", _bullets(kills.soft_weight)),
        ("Not proved by mutants: tests of the kernel's TCP", _bullets(kills.kernel)),
    ):
        if tests:
            lines += [f"### {title}", "", *tests, ""]
    for profile, mutants in _by_profile(kills):
        lines += [f"### {profile}", "", "| mutant | breaks | rejected for it by | for others by |", "|---|---|---|---|"]
        lines += [
            _row(f"`{m.name}`", f"`{m.breaks}`", _rejecting(kills, m), str(len(_otherwise(kills, m)))) for m in mutants
        ]
        lines += ["", "```text", *_grid(kills, mutants), "```", ""]
    return (
        "\n".join([*lines, *(f"`{kind.value}` {words}  " for kind, words in SIGNS.items() if kind.value.strip())])
        + "\n"
    )


def _proved(kills: Kills) -> Iterator[str]:
    for profile, mutants in _by_profile(kills):
        yield from _headed(f"{profile}: the mutants, what they break, and who rejects them for it")
        name, breaks = max(len(m.name) for m in mutants), max(len(m.breaks) for m in mutants)
        for mutant in mutants:
            others = len(_otherwise(kills, mutant))
            more = f"; {_plural(others, 'test')} for another requirement" if others else ""
            yield f"  {mutant.name:{name}}  {mutant.breaks:{breaks}}  {_rejecting(kills, mutant)}{more}"


def _rejecting(kills: Kills, mutant: Mutant) -> str:
    tests = kills.proved_by(mutant.name)
    if tests:
        return ", ".join(tests[:NAMED]) + (f" and {len(tests) - NAMED} more" if len(tests) > NAMED else "")
    if mutant.name in kills.away:
        return "not at hand"
    if mutant not in kills.tried:
        return "not asked by its own tests"
    return "HOLE" if mutant in [hole for hole, _ in kills.holes] else "never ready"


def _otherwise(kills: Kills, mutant: Mutant) -> tuple[str, ...]:
    return kills.with_answer(mutant.name, Answer.KILLED)


def _legend() -> list[str]:
    return ["signs", *(f"  {kind.value if kind.value.strip() else 'blank'}  {words}" for kind, words in SIGNS.items())]


def _grids(kills: Kills) -> Iterator[str]:
    for profile, mutants in _by_profile(kills):
        yield from _headed(profile)
        yield from _grid(kills, mutants)


def _grid(kills: Kills, mutants: Sequence[Mutant]) -> Iterator[str]:
    """A line for each test, a column for each mutant; the columns are numbered, the numbers explained behind."""
    names = {mutant.name for mutant in mutants}
    tests = [test for test in kills.tests if any((test.name, name) in kills.cells for name in names)]
    width = max((len(test.name) for test in tests), default=0)
    numbers = [f"{number:>{len(str(len(mutants)))}}" for number in range(1, len(mutants) + 1)]
    for digits in zip(*numbers, strict=True):
        yield f"{'':{width}}  {''.join(digits)}"
    for test in tests:
        yield f"{test.name:{width}}  {''.join(kills.cell(test.name, m.name).value for m in mutants)}".rstrip()
    yield ""
    yield from (f"{number}  {mutant.name}" for number, mutant in zip(numbers, mutants, strict=True))


def _by_profile(kills: Kills) -> list[tuple[str, list[Mutant]]]:
    profiles: dict[str, list[Mutant]] = {}
    for mutant in kills.mutants:
        profiles.setdefault(mutant.profile, []).append(mutant)
    return list(profiles.items())


def _told(test: Test) -> str:
    return f"{test.name}  {test.governing}".rstrip()


def _tests(kills: Kills, tests: Iterable[Test]) -> Iterator[str]:
    for test in tests:
        asked = any(kills.cell(test.name, mutant.name) is not Answer.UNASKED for mutant in kills.mutants)
        yield f"  {_told(test)}" + ("" if asked else "  (not applicable to any mutant)")


def _bullets(tests: Iterable[Test]) -> list[str]:
    return [f"- `{test.name}`" + (f" ({test.governing})" if test.governing else "") for test in tests]


def _headed(title: str) -> tuple[str, str]:
    return "", title


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _wrapped(words: str, margin: int) -> list[str]:
    indent = " " * margin
    return textwrap.wrap(
        words, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
