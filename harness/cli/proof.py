"""`sockspec proof`: show that the suites can fail. Every mutant is judged beside the correct servers, in one run.

On IPv4 alone: no mutant is wrong by its family, and the other one would show the same at twice the price. What is
printed and written comes from the record, so `--from` tells it again of a run that is over.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import bundle
from harness.cli import workers
from harness.cli.check import Finder, judged, pytest_arguments
from harness.cli.installing import install
from harness.cli.words import command
from harness.plugin.options import PCAP, REPEAT_HELP, WIDE_HELP, times, whole_number
from harness.proof import mutants, page
from harness.proof.kills import Kills, kill_matrix
from harness.proof.requirements import requirement_matrix
from harness.record.disk import RecordError, write_whole
from harness.record.store import load
from harness.report.model import Exit, Run
from harness.spec.catalogue import load as load_catalogue
from harness.subject import foreign

if TYPE_CHECKING:
    import argparse

KILLS = "kills.txt"
SECTION = "kills.md"
MATRIX = "matrix.txt"

# A mutant keeps its tests waiting, seconds at a time, where a correct server answers: so more of them overlap.
_WORKERS_PER_CORE = 12
_MUTANTS_OF_A_TEST = 4  # and correct servers: of those to which one test is put, so many at a time
_JUDGED = {Exit.HOLDS, Exit.MISSED, Exit.BROKEN, Exit.OPEN}  # what a run that came to its end answers


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(
        commands,
        "proof",
        brief="show that the tests can fail: every mutant must be rejected, and no correct server",
        description="Judge servers that are wrong in one named way each, and the correct ones, with the same tests.",
        examples=(
            "sockspec proof",
            "sockspec proof --from reports/runs/20261120-110714-17022",
            "sockspec proof -k 'my_test and echo_never_closes' --pcap all",
        ),
    )
    parser.add_argument("--from", metavar="RUN", dest="folder", help="tell it of this run folder; run nothing")
    parser.add_argument("--profile", metavar="P", help="only the mutants and servers of this profile")
    parser.add_argument("-k", metavar="EXPR", dest="expression", help="only tests whose names match (as pytest's -k)")
    parser.add_argument(
        "-n",
        metavar="N",
        dest="workers",
        type=whole_number,
        help="tests at a time (default: twelve for each core, fewer for few tests)",
    )
    parser.add_argument("--wide", action="store_true", help=WIDE_HELP)
    parser.add_argument("--repeat", metavar="N", type=times, default=1, help=REPEAT_HELP)
    parser.add_argument(
        "--install",
        action="store_true",
        help="fetch what servers by others need, into a folder of our own (by default only those at hand are judged)",
    )
    parser.add_argument("--report", metavar="DIR", help="where the record goes (default: a new folder in reports/runs)")
    parser.add_argument("--pcap", choices=PCAP, default="never", help="which captures are kept (default: %(default)s)")
    nothing = ("address", "serve", "ready", "ready_budget", "shard", "link", "version_command")
    parser.set_defaults(run=run, strict=False, soak=0, explore=0, cross_check=False, **dict.fromkeys(nothing))


def run(chosen: argparse.Namespace) -> int:
    """Judge all, tell what is not as it must be, and return 1 if anything is not."""
    finder = Finder()
    if chosen.folder is not None:
        finder.folder = Path(chosen.folder)
    else:
        if chosen.workers is None:
            chosen.workers = workers.default(
                _WORKERS_PER_CORE, chosen.expression, each=_MUTANTS_OF_A_TEST * chosen.repeat
            )
        if chosen.install:
            install(foreign.table(), foreign.store(), lambda line: sys.stderr.write(f"sockspec: {line}\n"))
        wide = ["--wide"] if chosen.wide else []
        code = judged([*pytest_arguments(chosen), "--mutants", "--foreign", "--family=v4", *wide], finder)
        if code not in _JUDGED or finder.folder is None:
            return int(code)
    try:
        return _tell(finder.folder)
    except RecordError as refused:
        sys.stderr.write(f"sockspec: {refused}\n")
        return Exit.USAGE


def _tell(folder: Path) -> int:
    ran = Run.of(load(folder))
    if not ran.rows:
        sys.stderr.write(f"sockspec: no test of {len(ran.lost)} has reported; `sockspec check` tells more\n")
        return Exit.BROKEN
    known = tuple(mutant for mutant in mutants.read(bundle.root()) if mutant.name in ran.facts.subjects)
    partial = any(word.startswith("-k") for word in ran.facts.command)
    if partial:  # who asked for a part is told of that part
        judged = {row.subject for row in ran.rows}
        known = tuple(mutant for mutant in known if mutant.name in judged)
    findings = {server.name: server.findings for server in foreign.table()}
    kills = kill_matrix(
        ran.rows, known, ran.lost, findings, {one.test: str(one) for one in ran.unstable}, partial=partial
    )
    write_whole(folder / KILLS, page.text(kills).encode())
    write_whole(folder / SECTION, page.markdown(kills).encode())
    write_whole(folder / MATRIX, requirement_matrix(load_catalogue(), ran.rows, known).encode())
    print("\n".join(page.troubles(kills)))
    print(f"\nmatrix  {folder / KILLS}\n        {folder / MATRIX}")
    return _exit(kills)


def _exit(kills: Kills) -> int:
    if kills.holes or kills.alarms:
        return Exit.MISSED
    return Exit.OPEN if kills.lost or kills.unstable else Exit.HOLDS
