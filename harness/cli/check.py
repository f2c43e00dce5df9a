"""`sockspec check`: judge a subject, or the reference servers, with the suites."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.cli import outputs, workers
from harness.lab import link_profile
from harness.plugin.ledger import ledger_key
from harness.plugin.options import (
    CROSS_CHECK_HELP,
    EXPLORE_HELP,
    EXPLORE_SEED,
    EXPLORE_SEED_HELP,
    LINK_SEED_HELP,
    PCAP,
    READY_BUDGET_HELP,
    READY_HELP,
    REPEAT_HELP,
    SERVE_HELP,
    SOAK_HELP,
    link_help,
    profile_words,
    seconds,
    times,
    whole_number,
)
from harness.record.disk import RecordError
from harness.report.model import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_EXAMPLES = """\
examples:
  sockspec check --serve './myserver {host} {port}' --profile echo
  sockspec check --serve 'node server.js {port}' --profile request-reply --strict
  sockspec check udp://[::1]:7 --profile udp-echo
  sockspec check --serve 'redis-server --port {port} --bind {host}' --profile redis
  sockspec check --serve './myserver {port}' --profile FILE.toml   (docs/own-protocol.md)
  sockspec check --serve './myserver -b {address}:{port} -d {scratch}' --profile http --ready answered
  sockspec check --serve './myserver {host} {port}' --profile echo --link lossy   (docs/links.md)
  sockspec check --profile greeting -k 'one_line and v4'
"""

# A test mostly waits; six workers keep two cores busy (bench/workers.py).
_WORKERS_PER_CORE = 3
_WORKERS_PER_CORE_FOR_A_SLOW_ONE = 6  # its tests wait, and use no processor meanwhile


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
    parser.add_argument("--serve", metavar="CMD", help=SERVE_HELP)
    parser.add_argument("--ready", metavar="TEXT", help=READY_HELP)
    parser.add_argument("--ready-budget", metavar="SECONDS", type=seconds, help=READY_BUDGET_HELP)
    parser.add_argument("--profile", metavar="P", help=f"what it claims to speak: {profile_words()}")
    parser.add_argument("-k", metavar="EXPR", dest="expression", help="only tests whose names match (as pytest's -k)")
    parser.add_argument(
        "-n",
        metavar="N",
        dest="workers",
        type=whole_number,
        help="tests at a time (default: three for each core, fewer for few tests; one for a running server)",
    )
    parser.add_argument("--version-command", metavar="CMD", help="prints your server's version, for the record")
    parser.add_argument(
        "--shard", metavar="K/N", help="only the K-th of N parts of the tests; `sockspec merge` joins them"
    )
    parser.add_argument("--link", metavar="L", help=link_help())
    parser.add_argument("--link-seed", metavar="N", type=whole_number, default=link_profile.SEED, help=LINK_SEED_HELP)
    parser.add_argument("--repeat", metavar="N", type=times, default=1, help=REPEAT_HELP)
    parser.add_argument("--soak", metavar="SECONDS", type=seconds, default=0.0, help=SOAK_HELP)
    parser.add_argument("--explore", metavar="SECONDS", type=seconds, default=0.0, help=EXPLORE_HELP)
    parser.add_argument("--explore-seed", metavar="N", type=whole_number, default=EXPLORE_SEED, help=EXPLORE_SEED_HELP)
    parser.add_argument("--strict", action="store_true", help="a missed SHOULD fails the run")
    parser.add_argument("--cross-check", action="store_true", help=CROSS_CHECK_HELP)
    outputs.offer(parser)
    parser.add_argument("--report", metavar="DIR", help="where the report goes (default: a new folder in reports/runs)")
    parser.add_argument("--pcap", choices=PCAP, default="all", help="which captures are kept (default: %(default)s)")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Run the suites under pytest and return its exit code."""
    finder = Finder()
    code = judged(pytest_arguments(chosen), finder)
    if finder.folder is None:
        return code
    try:
        outputs.write(chosen, finder.folder, os.environ)
    except RecordError as refused:
        sys.stderr.write(f"sockspec: {refused}\n")
        return code or Exit.BROKEN
    return code


def judged(arguments: Sequence[str], finder: Finder) -> int:
    """Run pytest with these words and no plugins but those that we need: others cost time, and may change verdicts."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main(["-p", "xdist.plugin", "-p", "pytest_timeout", *arguments], plugins=[finder]))


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
        # No test of the suites uses it, and to load it costs each worker a sixth of a second.
        *("-p", "no:hypothesispytest"),
        # A warning of somebody's library is no reason to stop judging.
        *("--override-ini", "filterwarnings=default", "--disable-warnings"),
        *workers.words(_workers(chosen)),
        f"--sockspec-slow-workers={_workers(chosen, _WORKERS_PER_CORE_FOR_A_SLOW_ONE)}",
        f"--pcap={chosen.pcap}",
        f"--repeat={chosen.repeat}",
    ]
    given = {
        "--serve": chosen.serve,
        "--ready": chosen.ready,
        "--ready-budget": None if chosen.ready_budget is None else f"{chosen.ready_budget:.0f}",
        "--address": chosen.address,
        "--profile": chosen.profile,
        "--report": chosen.report,
    }
    words += [f"{name}={value}" for name, value in given.items() if value is not None]
    if chosen.version_command is not None:
        words.append(f"--version-command={chosen.version_command}")
    if chosen.link is not None:
        words += [f"--link={chosen.link}", f"--link-seed={chosen.link_seed}"]
    if chosen.soak:
        words.append(f"--soak={chosen.soak:.0f}")
    if chosen.explore:
        words += [f"--explore={chosen.explore:.0f}", f"--explore-seed={chosen.explore_seed}"]
    if chosen.shard is not None:
        words.append(f"--shard={chosen.shard}")
    if chosen.expression is not None:
        words += ["-k", chosen.expression]
    if chosen.cross_check:
        words.append("--cross-check")
    if chosen.strict:
        words.append("--strict-should")
    return words


def _workers(chosen: argparse.Namespace, per_core: int = _WORKERS_PER_CORE) -> int:
    if chosen.workers is not None:
        return int(chosen.workers)
    alone = chosen.address is not None  # all have to share a running server
    return 0 if alone else workers.default(per_core, chosen.expression, each=chosen.repeat)


class Finder:
    """Remembers where the record of a run is."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """The record is whole now, if there is one."""
        ledger = config.stash.get(ledger_key, None)
        self.folder = ledger.folder if ledger is not None and ledger.used else None
