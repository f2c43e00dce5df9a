"""`sockspec explain ID`: what a requirement demands, where it is written, and which mutants prove its tests."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

from harness import bundle
from harness.report.model import Exit
from harness.spec.catalogue import UnknownRequirement, load
from harness.spec.explain import explain

if TYPE_CHECKING:
    import argparse


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = commands.add_parser("explain", help="tell what a requirement demands")
    parser.add_argument("id", help="as a finding names it, for example rfc9293:SHLD-3")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print the requirement."""
    try:
        requirement = load()[chosen.id]
    except UnknownRequirement as unknown:
        sys.stderr.write(f"sockspec: {unknown}\n")
        return Exit.USAGE
    print(explain(requirement, mutants=breaking(chosen.id)))
    return Exit.HOLDS


def breaking(requirement: str) -> list[str]:
    """The mutants that break a requirement."""
    table = tomllib.loads((bundle.root() / "fixtures" / "mutants" / "mutants.toml").read_text())
    return [name for name, entry in table.items() if entry["breaks"] == requirement]
