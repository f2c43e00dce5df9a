"""`sockspec explain ID`: what a requirement demands, where it is written, and which tests and mutants go with it.

Nothing is run: the tests are those that the suites' source names.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness import bundle
from harness.cli.words import command
from harness.plugin.naming import stable_id
from harness.proof import mutants
from harness.report.model import Exit
from harness.spec import citations
from harness.spec.catalogue import UnknownRequirement, load
from harness.spec.explain import explain

if TYPE_CHECKING:
    import argparse


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(
        commands,
        "explain",
        brief="tell what a requirement demands",
        examples=("sockspec explain rfc9293:SHLD-3", "sockspec explain rfc862:tcp/closes-after-client-fin"),
    )
    parser.add_argument("id", help="as a finding names it, for example rfc9293:SHLD-3")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print the requirement."""
    try:
        requirement = load()[chosen.id]
    except UnknownRequirement as unknown:
        sys.stderr.write(f"sockspec: {unknown}\n")
        return Exit.USAGE
    print(explain(requirement, covering(chosen.id), breaking(chosen.id)))
    return Exit.HOLDS


def breaking(requirement: str) -> list[str]:
    """The mutants that break a requirement."""
    return [mutant.name for mutant in mutants.read(bundle.root()) if mutant.breaks == requirement]


def covering(requirement: str) -> list[str]:
    """The tests that cover a requirement, as the suites' source says."""
    return [stable_id(test.nodeid) for test in citations.read(bundle.root()) if requirement in test.covers]
