"""A subject that runs already: what asks for its process is not applicable to it, and never breaks the harness."""

from __future__ import annotations

import inspect
import signal

import pytest

from harness.subject.external import External
from harness.subject.process import Subject
from harness.verdict import NotApplicable
from harness.wire.segment import Endpoint

_OURS = {
    "start",
    "told_at_last",
    "tell",
    "tell_later",
    "answer",
}  # what the harness alone calls, and the suites that tell a server what to do
_ANSWERED = {"look", "told", "close"}


def _methods(of: type) -> set[str]:
    return {name for name, value in vars(of).items() if inspect.isfunction(value) and not name.startswith("_")}


def test_whatever_a_test_may_ask_of_a_subject_it_may_ask_of_one_that_runs_already() -> None:
    assert _methods(Subject) - _OURS == _methods(External)


@pytest.mark.parametrize("name", sorted(_methods(External) - _ANSWERED))
def test_it_refuses_what_it_cannot_and_takes_the_same_arguments(name: str) -> None:
    subject = External("tcp://127.0.0.1:7", "echo", "tcp", "v4", Endpoint("127.0.0.1", 7))
    refuse = getattr(subject, name)
    arguments = {
        one.name: signal.SIGTERM
        for one in inspect.signature(refuse).parameters.values()
        if one.kind is not one.VAR_POSITIONAL
    }

    assert list(inspect.signature(refuse).parameters) == list(inspect.signature(getattr(Subject, name)).parameters)[1:]
    with pytest.raises(NotApplicable, match="start it with --serve"):
        refuse(**arguments)
