"""The first start: can the subject be judged at all, and on which families? Asked once, before any test is planned.

So a command that does not exist, ends at once or never listens gives one error and not one for each test; so does an
address at which nobody is.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable
from harness.plugin.early import why_early
from harness.plugin.options import absent_key, early_key, place_of, read
from harness.probe.first import asker
from harness.report.model import Exit
from harness.subject import external
from harness.subject.beginning import NotReady
from harness.subject.patience import Patience
from harness.subject.process import start

if TYPE_CHECKING:
    from harness.plugin.options import Settings
    from harness.subject.inventory import Program
    from harness.subject.process import Subject

_MOMENT = 0.2  # seconds of idleness after which a program has opened all its sockets
_ALL = 2.0  # seconds that it gets for it


def absent_families(lab: Lab, program: Program, early: set[Program]) -> dict[str, str]:
    """Why the program does not offer a family ("v4", "v6"), for those that it does not; NotReady if it offers none.

    One that listens before it is ready is put into `early`.
    """
    refused: dict[str, NotReady] = {}
    told = ""
    to_be_asked = True
    for family in ("v4", "v6"):
        lab.ask("build")
        try:
            with contextlib.closing(start(lab, program, family, dict(os.environ), ask=asker(lab))) as subject:
                if not told and (told := judged_of_several(subject)):
                    sys.stderr.write(f"sockspec: {told}\n")
                if to_be_asked and (why := why_early(lab, subject)) != "":
                    to_be_asked = False
                    if why:
                        early.add(program)
                        sys.stderr.write(f"sockspec: {why}\n")
        except NotReady as reason:
            refused[family] = reason
            if not program.takes_host and not reason.usage:
                # Nothing in the command differs between the families: it will not become ready in the other either.
                raise
        finally:
            lab.ask("clear")
    if len(refused) == 2:
        raise refused["v4"]
    return {family: f"the subject does not serve IP{family}: {reason.what}" for family, reason in refused.items()}


def judged_of_several(subject: Subject) -> str:
    """Which of the ports that it has the tests will take, where its command does not say; empty if it has but one.

    Erlang with a node name has two more, epmd's among them; others serve their metrics on one.
    """
    if subject.program.takes_port:
        return ""
    Patience(subject).at_rest(_MOMENT, _ALL)
    places = [place for place in subject.listeners() if place.reached_at(subject.family)]
    if len({place.port for place in places}) < 2:
        return ""
    waits = ", ".join(map(str, places))
    return f"{subject.name!r} waits on {waits}; judged is {subject.address}: a command with {{port}} tells which"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Start the user's subject once before the session; what it cannot do ends the run here, in one message."""
    option = config.option
    if hasattr(config, "workerinput") or option.collectonly:
        return None
    if option.address is not None:
        return _look(read(config))
    if option.serve is None and option.subjects is None:
        return None
    settings = read(config)
    early: set[Program] = set()
    try:
        with Lab() as lab:
            if not settings.implementations:
                config.stash[absent_key] = absent_families(lab, settings.programs[0], early)
            else:
                config.stash[absent_key] = {
                    place_of(program, family): reason
                    for program in settings.programs
                    for family, reason in absent_families(lab, program, early).items()
                }
            config.stash[early_key] = [place_of(program, "") for program in early]
    except LabUnavailable:
        return None  # every test will say that it is not applicable, and why
    except NotReady as reason:
        sys.stderr.write(f"sockspec: {reason}\n")
        return int(Exit.USAGE if reason.usage else Exit.BROKEN)
    return None


def _look(settings: Settings) -> int | None:
    """Whether somebody is where a subject is said to run; one that serves a single client keeps it for the tests."""
    if settings.profile == "one-shot" or not (reason := external.absent(settings.address)):
        return None
    sys.stderr.write(f"sockspec: {reason}\n")
    return int(Exit.BROKEN)
