"""`sockspec list`: the profiles, the reference servers, the tests, or the requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.spec.catalogue import load
from harness.subject import inventory, protocol
from harness.subject.profile import PROFILES

if TYPE_CHECKING:
    import argparse


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = commands.add_parser("list", help="show profiles, reference servers and requirements")
    parser.add_argument("--requirements", action="store_true", help="every requirement of the catalogue")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print one thing a line, its name first."""
    print("\n".join(requirements() if chosen.requirements else profiles()))
    return 0


def profiles() -> list[str]:
    """The profiles with the reference servers that speak them."""
    lines = ["profiles, for --profile:"]
    width = max(map(len, PROFILES))
    for profile in PROFILES.values():
        engines = [name for name, server in inventory.reference_servers().items() if server.profile == profile.name]
        lines.append(f"  {profile.name:{width}}  {profile.transport}  {profile.purpose}")
        lines.append(f"  {'':{width}}       reference servers: {', '.join(engines)}")
    lines += ["", "samples of own protocols, for --profile too, as is any FILE.toml (docs/own-protocol.md):"]
    width = max(map(len, protocol.samples()))
    for name, sample in protocol.samples().items():
        lines.append(f"  {name:{width}}  {sample.transport}  {sample.purpose}")
    return lines


def requirements() -> list[str]:
    """Every requirement with its level and title, by document."""
    lines = []
    for document, entries in load().by_document().items():
        lines += ["", str(document)]
        width = max(len(one.id) for one in entries)
        lines += [f"  {one.id:{width}}  {one.strength:10}  {one.title}" for one in entries]
    return lines[1:]
