"""`sockspec list`: profiles, reference servers and link profiles, the requirements, or how these stand after a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import bundle
from harness.cli.words import command
from harness.lab import link_profile
from harness.proof import mutants
from harness.proof.requirements import requirement_matrix
from harness.record.disk import RecordError
from harness.record.store import load as load_record
from harness.report.model import Exit, Run
from harness.spec.catalogue import load
from harness.subject import inventory, protocol
from harness.subject.profile import PROFILES

if TYPE_CHECKING:
    import argparse


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(
        commands,
        "list",
        brief="show profiles, reference servers and requirements",
        examples=(
            "sockspec list",
            "sockspec list --requirements",
            "sockspec list --matrix reports/runs/20261120-110714-17022",
        ),
    )
    parser.add_argument("--requirements", action="store_true", help="every requirement of the catalogue")
    parser.add_argument(
        "--matrix", metavar="RUN", help="every requirement with the tests that ran for it in this folder"
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print one thing a line, its name first."""
    if chosen.matrix is not None:
        return _matrix(Path(chosen.matrix))
    print("\n".join(requirements() if chosen.requirements else profiles()))
    return Exit.HOLDS


def _matrix(folder: Path) -> int:
    try:
        ran = Run.of(load_record(folder))
    except RecordError as refused:
        sys.stderr.write(f"sockspec: {refused}\n")
        return Exit.USAGE
    print(requirement_matrix(load(), ran.rows, mutants.read(bundle.root())), end="")
    return Exit.HOLDS


def profiles() -> list[str]:
    """The profiles with the reference servers that speak them."""
    lines = ["profiles, for --profile:"]
    width = max(map(len, PROFILES))
    for profile in PROFILES.values():
        lines.append(f"  {profile.name:{width}}  {profile.transport}  {profile.purpose}")
        lines += [f"  {'':{width}}       {line}" for line in _spoken_by(profile.name)]
    lines += ["", "samples of own protocols, for --profile too, as is any FILE.toml (docs/own-protocol.md):"]
    width = max(map(len, protocol.samples()))
    for name, sample in protocol.samples().items():
        lines.append(f"  {name:{width}}  {sample.transport}  {sample.purpose}")
        lines += [f"  {'':{width}}       {line}" for line in _spoken_by(name)]
    links = link_profile.shipped()
    lines += ["", "link profiles, for --link, as is any FILE.toml#NAME (docs/links.md):"]
    width = max(map(len, links))
    lines += [f"  {name:{width}}  {one.purpose}" for name, one in links.items()]
    return lines


def _spoken_by(profile: str) -> list[str]:
    """The reference servers of a profile, on a line if there are any."""
    names = [name for name, server in inventory.reference_servers().items() if server.profile == profile]
    return [f"reference servers: {', '.join(names)}"] if names else []


def requirements() -> list[str]:
    """Every requirement with its level and title, by document."""
    lines = []
    for document, entries in load().by_document().items():
        lines += ["", str(document)]
        width = max(len(one.id) for one in entries)
        lines += [f"  {one.id:{width}}  {one.strength:10}  {one.title}" for one in entries]
    return lines[1:]
