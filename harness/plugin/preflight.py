"""The first start: can the subject be judged at all, and on which families? Asked once, before any test is planned.

So a command that does not exist, ends at once or never listens gives one error and not one for each test; so does an
address at which nobody is. One that is ready is asked one ordinary exchange, which shows its manner: one that does not
answer as its profile says gets one finding for that, and no test waits for an answer in vain (`harness.plugin.basic`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable
from harness.lab.near import LabNear
from harness.plugin.early import why_early
from harness.plugin.fixtures import Uncaptured
from harness.plugin.options import absent_key, early_key, manners_key, place_of, read
from harness.probe.beside import asker
from harness.probe.first_exchange import manner_of
from harness.report.model import Exit
from harness.subject import external
from harness.subject.beginning import NotReady
from harness.subject.external import External
from harness.subject.patience import Patience
from harness.subject.process import start
from harness.subject.readiness import Ready

if TYPE_CHECKING:
    from harness.plugin.options import Settings
    from harness.subject.inventory import Program
    from harness.subject.manner import Manner
    from harness.subject.process import Subject

_MOMENT = 0.2  # seconds of idleness after which a program has opened all its sockets
_ALL = 2.0  # seconds that it gets for it


@dataclass
class Seen:
    """What the first start has shown of one program, by family ("v4", "v6")."""

    absent: dict[str, str] = field(default_factory=dict)  # why it does not offer a family
    manners: dict[str, Manner] = field(default_factory=dict)
    early: bool = False  # whether it listens before it is ready


def first_start(lab: Lab, program: Program) -> Seen:
    """Whether the program offers each family, and how it shows itself there; NotReady if it offers none."""
    seen = Seen()
    refused: dict[str, NotReady] = {}
    told = ""
    to_be_asked = True
    for family in ("v4", "v6"):
        lab.ask("build")
        try:
            with contextlib.closing(start(lab, program, family, dict(os.environ), ask=asker(lab))) as subject:
                if not told and (told := judged_of_several(subject)):
                    sys.stderr.write(f"sockspec: {told}\n")
                seen.manners[family] = manner = manner_of(subject, LabNear(lab))
                if to_be_asked and manner.fails and (why := why_early(lab, subject, manner.fails)) != "":
                    to_be_asked = False
                    seen.early = bool(why)
                    if why:
                        sys.stderr.write(f"sockspec: {why}\n")
            if seen.early:
                lab.ask("build")
                ready = replace(program, ready=Ready(answered=True))
                with contextlib.closing(start(lab, ready, family, dict(os.environ), ask=asker(lab))) as subject:
                    seen.manners[family] = manner_of(subject, LabNear(lab))
        except NotReady as reason:
            refused[family] = reason
            if not program.takes_host and not reason.usage:
                # Nothing in the command differs between the families: it will not become ready in the other either.
                raise
        finally:
            lab.ask("clear")
    if len(refused) == 2:
        raise refused["v4"]
    seen.absent = {
        family: f"the subject does not serve IP{family}: {_why(reason)}" for family, reason in refused.items()
    }
    return seen


def _why(reason: NotReady) -> str:
    return f"{reason.what} (stderr: {reason.last_words})" if reason.last_words else reason.what


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
        return _look(config, read(config))
    if option.serve is None and option.subjects is None:
        return None
    settings = read(config)
    try:
        with Lab() as lab:
            take_down(config, settings, {program: first_start(lab, program) for program in settings.programs})
    except LabUnavailable:
        return None  # every test will say that it is not applicable, and why
    except NotReady as reason:
        sys.stderr.write(f"sockspec: {reason}\n")
        return int(Exit.USAGE if reason.usage else Exit.BROKEN)
    return None


def take_down(config: pytest.Config, settings: Settings, seen: dict[Program, Seen]) -> None:
    """Keep what the first starts have shown for the tests, under their `place_of`."""
    absent: dict[str, str] = {}
    manners: dict[str, Manner] = {}
    for program, shown in seen.items():
        one_of_several = program if settings.implementations else None
        absent |= {place_of(one_of_several, family): reason for family, reason in shown.absent.items()}
        manners |= {place_of(one_of_several, family): manner for family, manner in shown.manners.items()}
    config.stash[absent_key], config.stash[manners_key] = absent, manners
    config.stash[early_key] = [place_of(program, "") for program, shown in seen.items() if shown.early]
    if any(manner.is_slow and manner.rests and not manner.fails for manner in manners.values()):
        _more_workers(config)


def _more_workers(config: pytest.Config) -> None:
    """Have more tests run at a time, if several do: those of a slow server wait most of their time."""
    option = config.option
    if getattr(option, "numprocesses", 0) and option.numprocesses < option.sockspec_slow_workers:
        option.numprocesses = option.sockspec_slow_workers  # before pytest-xdist reads it


def _look(config: pytest.Config, settings: Settings) -> int | None:
    """Ask who is where a subject is said to run; one that serves a single client keeps it for the tests."""
    if settings.profile == "one-shot":
        return None
    if reason := external.absent(settings.address):
        sys.stderr.write(f"sockspec: {reason}\n")
        return int(Exit.BROKEN)
    transport, host, port = external.parse(settings.address)
    config.stash[manners_key] = {
        family: manner_of(External(settings.address, settings.profile, transport, family, place), Uncaptured(""))
        for family, place in external.resolve(host, port, transport).items()
    }
    return None
