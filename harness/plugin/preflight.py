"""The first start: can the subject be judged at all, and on which families? Asked once, before any test is planned.

So a command that does not exist, ends at once or never listens gives one error and not one for each test; so does an
address at which nobody is.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable
from harness.plugin.options import absent_key, place_of, read
from harness.report.model import Exit
from harness.subject import external
from harness.subject.beginning import NotReady
from harness.subject.process import start

if TYPE_CHECKING:
    from harness.plugin.options import Settings
    from harness.subject.inventory import Program


def absent_families(lab: Lab, program: Program) -> dict[str, str]:
    """Why the program does not offer a family ("v4", "v6"), for those that it does not; NotReady if it offers none."""
    refused: dict[str, NotReady] = {}
    for family in ("v4", "v6"):
        lab.ask("build")
        try:
            start(lab, program, family, dict(os.environ)).close()
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
    try:
        with Lab() as lab:
            if not settings.implementations:
                config.stash[absent_key] = absent_families(lab, settings.programs[0])
            else:
                config.stash[absent_key] = {
                    place_of(program, family): reason
                    for program in settings.programs
                    for family, reason in absent_families(lab, program).items()
                }
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
