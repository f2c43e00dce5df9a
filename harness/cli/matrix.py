"""`sockspec matrix SUBJECTS.toml`: several implementations in one run, and where they disagree.

Not to be taken for `sockspec list --matrix`, which crosses requirements with tests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.check import Finder, judged, pytest_arguments
from harness.cli.words import command
from harness.gate import implementations
from harness.plugin.options import PCAP, whole_number
from harness.record.disk import write_whole
from harness.record.store import load
from harness.report.model import Exit, Run

if TYPE_CHECKING:
    import argparse

MATRIX = "implementations.txt"


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(
        commands,
        "matrix",
        brief="judge several implementations side by side",
        description="Judge the implementations that a file names in one run, and tell where they disagree.",
        examples=(
            "sockspec matrix fixtures/subjects.toml",
            "sockspec matrix fixtures/subjects.toml --profile echo -k v4",
            "sockspec matrix --from reports/runs/20261120-110714-17022 --compare asyncio threading",
        ),
    )
    parser.add_argument("subjects", nargs="?", metavar="FILE", help="the implementations, as TOML (docs/matrix.md)")
    parser.add_argument("--from", metavar="RUN", dest="folder", help="tell it of this run folder; run nothing")
    parser.add_argument("--compare", nargs=2, metavar="NAME", help="only where these two differ")
    parser.add_argument("--profile", metavar="P", help="only what speaks this profile")
    parser.add_argument("-k", metavar="EXPR", dest="expression", help="only tests whose names match (as pytest's -k)")
    parser.add_argument(
        "-n", metavar="N", dest="workers", type=whole_number, help="tests at a time (default: three for each core)"
    )
    parser.add_argument("--strict", action="store_true", help="a missed SHOULD fails the run")
    parser.add_argument("--report", metavar="DIR", help="where the record goes (default: a new folder in reports/runs)")
    parser.add_argument("--pcap", choices=PCAP, default="failed", help="which captures are kept (default: %(default)s)")
    nothing = ("address", "serve", "ready", "ready_budget", "shard", "link", "version_command")
    parser.set_defaults(run=run, repeat=1, soak=0, explore=0, cross_check=False, **dict.fromkeys(nothing))


def run(chosen: argparse.Namespace) -> int:
    """Judge all, print the matrix, and return the exit code of the run."""
    if (chosen.subjects is None) == (chosen.folder is None):
        sys.stderr.write("sockspec: give the file of the implementations, or --from RUN; see sockspec matrix --help\n")
        return Exit.USAGE
    if chosen.folder is not None:
        return _tell(Path(chosen.folder), chosen.compare)
    finder = Finder()
    code = judged([*pytest_arguments(chosen), f"--subjects={chosen.subjects}"], finder)
    if finder.folder is None:
        return code
    return _tell(finder.folder, chosen.compare)


def _tell(folder: Path, pair: list[str] | None) -> int:
    ran = Run.of(load(folder))
    whole = implementations.matrix(ran)
    try:
        told = implementations.compared(whole, *pair) if pair else implementations.text(whole)
    except ValueError as error:
        sys.stderr.write(f"sockspec: --compare {error}\n")
        return Exit.USAGE
    write_whole(folder / MATRIX, implementations.text(whole).encode())
    print(f"\n{told}\nmatrix  {folder / MATRIX}")
    return ran.exit
