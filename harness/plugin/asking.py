"""Who is put to a test in a run of our own: no more than shows something, so that a proof of all mutants takes minutes.

- A mutant, a wrong runtime or a wrong stack is put to the tests that cover what it breaks. With `--wide` a mutant is
  put to all tests of its profile, in the first of their variants.
- Of the reference servers, the first of each profile by name stands beside the mutants in a proof: `make test` puts
  every test to all of them.
- The stress suite, which burdens the machine with a thousand clients, is put to the first of each profile in any run,
  of ours and of those by others; a test that waits for five seconds or more, to the first of ours.
- Servers by others are started for IPv4, so a test of IPv6 alone is not put to them.

Else servers by others, and the subjects of users, are put to everything; so is a program whose whole name stands in
the words of -k.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from harness import bundle
from harness.plugin.options import settings_of
from harness.proof import mutants
from harness.subject import foreign, inventory

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from harness.subject.inventory import Program

STRESS = "/stress/"  # in the path of a suite
WAIT = 2.0  # seconds that a test waits which is slow and says no more, or which is put to a mutant
_LONG = 5.0  # seconds
_WORD = re.compile(r"\w+")


@functools.cache
def broken() -> dict[str, str]:
    """The requirement that each mutant, wrong runtime and wrong stack breaks, by its name."""
    return {mutant.name: mutant.breaks for mutant in mutants.read(bundle.root())}


def is_mutant(program: Program | None) -> bool:
    """Whether a program is one of our mutants."""
    return program is not None and _mutants().get(program.name) == program


def is_foreign(program: Program | None) -> bool:
    """Whether a program is a server by others."""
    return program is not None and foreign.programs().get(program.name) == program


def asked(programs: Iterable[Program], test: pytest.Function) -> list[Program]:
    """Those of the programs that a test is put to."""
    option = test.config.option
    if settings_of(test.config).implementations:
        return list(programs)
    if "v4" not in getattr(test.obj, "families", ("v4",)):
        programs = [program for program in programs if not is_foreign(program)]
    named = set(_WORD.findall(option.keyword))
    covers = covers_of(test.obj)
    burdens = STRESS in f"/{test.nodeid}"
    spared = _further(ours=True) if option.mutants or burdens or slow_s(test) >= _LONG else frozenset()
    spared |= _further(ours=False) if burdens else frozenset()
    if not option.wide:
        spared |= broken().keys() - _breaking(covers)
    return [program for program in programs if program.name in named or program.name not in spared]


def covers_of(function: Any) -> tuple[str, ...]:
    """The requirements that a test covers."""
    covers: tuple[str, ...] = getattr(function, "covers", ())
    return covers


def slow_s(test: pytest.Item) -> float:
    """How many seconds a test takes, about, by its own word: `slow(seconds=11)`; 0 for one that is not slow."""
    mark = test.get_closest_marker("slow")
    return 0.0 if mark is None else float(mark.kwargs.get("seconds", WAIT))


@functools.cache
def _mutants() -> dict[str, Program]:
    return inventory.mutants() | inventory.wrong_runtimes() | inventory.wrong_stacks()


@functools.cache
def _breaking(covers: tuple[str, ...]) -> frozenset[str]:
    """The names of the mutants that break one of these requirements."""
    return frozenset(name for name, requirement in broken().items() if requirement in covers)


@functools.cache
def _further(*, ours: bool) -> frozenset[str]:
    """The names of the reference servers, or servers by others, behind the first one at hand of their profile."""
    servers = (inventory.reference_servers() if ours else foreign.programs()).values()
    first = {program.profile: program.name for program in reversed(servers) if not program.absent}
    return frozenset(program.name for program in servers) - frozenset(first.values())
