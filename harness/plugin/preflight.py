"""The first start: can the subject be judged at all, and on which families? Asked once, before any test is planned.

So a command that does not exist, ends at once or never listens gives one error and not one for each test.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.subject.process import NotReady, start

if TYPE_CHECKING:
    from harness.lab.handle import Lab
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
