"""`sockspec check`: judge a subject, or the reference servers, with the suites."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.plugin.options import PCAP, profile_words

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = """\
examples:
  sockspec check --serve './myserver {host} {port}' --profile echo
  sockspec check --serve 'node server.js {port}' --profile request-reply --strict
  sockspec check udp://[::1]:7 --profile udp-echo
  sockspec check --serve 'redis-server --port {port} --bind {host}' --profile redis
  sockspec check --serve './myserver {port}' --profile FILE.toml   (docs/own-protocol.md)
  sockspec check --profile greeting -k 'one_line and v4'
"""

# A test mostly waits; four workers keep two cores busy (bench/workers.py).
_WORKERS_PER_CORE = 2


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = commands.add_parser(
        "check",
        help="judge a server",
        description="Start a server in private network namespaces, talk to it, capture every segment, and judge it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("address", nargs="?", metavar="URL", help="a running server: tcp://host:port, udp://host:port")
    parser.add_argument("--serve", metavar="CMD", help="start this server; {host} and {port} are filled in")
    parser.add_argument("--profile", metavar="P", help=f"what it claims to speak: {profile_words()}")
    parser.add_argument("-k", metavar="EXPR", dest="expression", help="only tests whose names match (as pytest's -k)")
    parser.add_argument(
        "-n",
        metavar="N",
        dest="workers",
        help="tests at a time (default: two for each core; one where a running server is judged)",
    )
    parser.add_argument("--strict", action="store_true", help="a missed SHOULD fails the run")
    parser.add_argument("--json", metavar="FILE", help="write the rows of results.jsonl there too")
    parser.add_argument("--junit", metavar="FILE", help="write the JUnit XML there too")
    parser.add_argument("--report", metavar="DIR", help="where the report goes (default: a new folder in reports/runs)")
    parser.add_argument("--pcap", choices=PCAP, default="all", help="which captures are kept (default: %(default)s)")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Run the suites under pytest and return its exit code."""
    copies = {"results.jsonl": chosen.json, "junit.xml": chosen.junit}
    keeper = Keeper({name: Path(target) for name, target in copies.items() if target})
    return int(pytest.main(pytest_arguments(chosen), plugins=[keeper]))


def pytest_arguments(chosen: argparse.Namespace) -> list[str]:
    """The words for pytest: its own, and ours."""
    root = bundle.root()
    words = [
        str(root / "suites"),
        f"--rootdir={root}",
        f"--confcutdir={root}",
        f"--config-file={root / 'pyproject.toml'}",
        # Quiet: the progress line and the summary are ours.
        *("-qq", "--no-header", "--no-summary", "--tb=no", "--show-capture=no", "--sockspec-quiet"),
        # A run leaves nothing outside its report: pytest-xdist would have pytest make a folder for temporary files.
        *("-p", "no:tmpdir"),
        # A warning of somebody's library is no reason to stop judging.
        *("--override-ini", "filterwarnings=default", "--disable-warnings"),
        *workers(chosen.workers, alone=chosen.address is not None),
        f"--pcap={chosen.pcap}",
    ]
    given = {
        "--serve": chosen.serve,
        "--address": chosen.address,
        "--profile": chosen.profile,
        "--report": chosen.report,
    }
    words += [f"{name}={value}" for name, value in given.items() if value is not None]
    if chosen.expression is not None:
        words += ["-k", chosen.expression]
    if chosen.strict:
        words.append("--strict-should")
    return words


def workers(wanted: str | None, *, alone: bool) -> Sequence[str]:
    """How many tests run at a time, in pytest-xdist's words; one where all have to share a running server."""
    number = wanted if wanted is not None else "0" if alone else str(_WORKERS_PER_CORE * (os.cpu_count() or 1))
    return ["-n", number, "--dist", "worksteal"] if number != "0" else []


class Keeper:
    """Copies parts of the record to where the user wants them, when the run is over."""

    def __init__(self, copies: dict[str, Path]) -> None:
        self._copies = copies

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """The record is whole now."""
        from harness.plugin.verdicts import folder_key

        folder = config.stash.get(folder_key, None)
        for name, target in self._copies.items():
            if folder is not None and (folder / name).exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
