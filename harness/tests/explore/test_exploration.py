"""Explorations of real servers: mutants are found without being told, and in a right server nothing is found."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from harness.explore.bench import Maker
from harness.explore.exploration import Exploration
from harness.subject.inventory import Program, mutants, reference_servers
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab

pytestmark = pytest.mark.slow

SECONDS = 30.0  # for the search; a mutant is found long before
FOUND = {
    "discard_dies_of_reset": ("house:any/survives rfc863:tcp/discard-ends-on-client-close", "reset("),
    "echo_upper_cases": ("rfc862:tcp/octets-unchanged", "read("),
    "request_reply_too_early": ("house:request-reply/silent-before-request", "read("),
    "udp_echo_answers_twice": ("rfc862:udp/one-in-one-out", "read("),
    "stun_other_port": ("house:protocol/datagram-source", "read("),
}


@contextlib.contextmanager
def exploration(lab: Lab, program: Program, seconds: float) -> Iterator[Exploration]:
    """With the seed that everybody has, and little time to make a failure shorter."""
    with contextlib.ExitStack() as keep:
        maker = Maker(lab, program, "v4", dict(os.environ), lambda *_: None, lambda _: None)
        yield Exploration(seconds, 7, maker, lambda _: None, keep, shorten=8.0)


@pytest.mark.parametrize("name", FOUND)
def test_a_mutant_is_found_without_being_told(lab: Lab, name: str) -> None:
    requirement, action = FOUND[name]
    with exploration(lab, mutants()[name], SECONDS) as explored, pytest.raises(Mismatch) as raised:
        explored.run()

    told = str(raised.value)
    assert raised.value.__dict__["requirement"] in requirement.split()
    assert action in told
    assert "\nreproduced by repro.py: " in told
    assert len([line for line in told.splitlines() if line.startswith("    ")]) <= 8
    compile(explored.repro, "repro.py", "exec")


@pytest.mark.parametrize("name", ["echo_blocking", "request_reply_blocking", "udp_echo_selectors"])
def test_nothing_is_found_where_nothing_is(lab: Lab, name: str) -> None:
    with exploration(lab, reference_servers()[name], 2.0) as explored:
        explored.run()

    assert explored.plans
    assert not explored.repro


def test_what_takes_a_history_has_it_in_its_sequence(lab: Lab) -> None:
    """This one quotes to twenty clients, more than come in one plan."""
    with exploration(lab, mutants()["qotd_tires"], SECONDS) as explored, pytest.raises(Mismatch) as raised:
        explored.run()

    assert str(raised.value).count("connect(") == 21
