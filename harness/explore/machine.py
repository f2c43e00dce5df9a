"""hypothesis drives: it draws plans, and shortens the one that fails.

A plan is drawn whole, before any of it is played. hypothesis' own RuleBasedStateMachine plays each rule as it draws it,
with the server in the middle of every decision: then what is drawn depends on how fast the server was, and neither the
seed nor the shrinking gives the same sequence twice. Who is there and may do what is known without the server
(`harness.explore.plans`), so that nothing is lost.

Only coins are drawn, no numbers: for numbers hypothesis takes now and then a constant from the source of whatever
modules are loaded, which makes another sequence of the same seed, and writes what it found into the user's folder.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, errors, settings
from hypothesis import strategies as st

from harness.explore.plans import KINDS, Draft, planned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

    from harness.explore.actions import Action
    from harness.explore.contracts import Contract

Option = TypeVar("Option")

_LONGEST = 12  # drafts of half a plan
_WITHOUT_END = 1_000_000  # plans: the time ends it

_SETTINGS = settings(
    max_examples=_WITHOUT_END,
    database=None,
    deadline=None,
    derandomize=False,  # the seed says what comes
    phases=(Phase.generate, Phase.shrink),
    verbosity=Verbosity.quiet,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=(
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ),  # a plan takes as long as the server does
)


class _Failed(Exception):  # noqa: N818 - what hypothesis looks for
    """The server was seen to be wrong."""


class Over(BaseException):
    """The time is over. No Exception, which hypothesis would take for a failure of the server's."""


def chosen(options: Sequence[Option]) -> SearchStrategy[Option]:
    """One of the options, by tossing coins; the first is the simplest."""
    coins = st.tuples(*[st.booleans()] * (len(options) - 1).bit_length())
    return coins.map(lambda fell: options[sum(bit << place for place, bit in enumerate(fell)) % len(options)])


def plans(contract: Contract, *, link: bool) -> SearchStrategy[tuple[Action, ...]]:
    """Plans for a contract."""
    draft = st.builds(Draft, chosen(KINDS), chosen(range(2)), chosen(range(16)))
    half = st.lists(draft, max_size=_LONGEST)  # two of them, because what is drawn is mostly short
    return st.tuples(half, half).map(lambda halves: planned(halves[0] + halves[1], contract, link=link))


def drive(contract: Contract, *, link: bool, seed: int, fails: Callable[[tuple[Action, ...]], bool]) -> None:
    """Draw plans until one fails, then shorter ones of its kind; until `fails` raises `Over`, or none is left."""

    @hypothesis.seed(seed)
    @_SETTINGS
    @hypothesis.given(plans(contract, link=link))
    def play(plan: tuple[Action, ...]) -> None:
        if fails(plan):
            raise _Failed

    # What fails once and not again is flaky for hypothesis; who asked knows what he has seen.
    with contextlib.suppress(_Failed, errors.Flaky, Over):
        play()
