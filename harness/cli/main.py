"""The words of the command line, and which module answers each."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from typing import NoReturn

from harness import __version__
from harness.gate.baseline import BaselineError
from harness.gate.shards import NotTogether
from harness.record.disk import RecordError
from harness.report.model import Exit

# Each command and its module, in the order of --help. Only that of the command which was given is loaded: those that
# judge load pytest, which takes longer than a short command does.
_MODULES = {
    "check": "check",
    "report": "report",
    "merge": "report",
    "gate": "gate",
    "baseline": "gate",
    "diff": "gate",
    "matrix": "matrix",
    "list": "listing",
    "explain": "explain",
    "doctor": "doctor",
    "proof": "proof",
    "completion": "completion",
}
_TELLS_OF_ALL = "completion"

_EXAMPLES = """\
examples:
  sockspec check                                                  judge the reference servers that come with sockspec
  sockspec check --serve './myserver {host} {port}' --profile echo
  sockspec check tcp://127.0.0.1:7 --profile echo                 judge a server that runs already
  sockspec gate reports/runs/20261120-110714-17022 --baseline known.toml
  sockspec explain rfc9293:SHLD-3
  sockspec doctor
"""
_EXITS = """\
exit codes:
""" + "\n".join(f"  {code.value}  {code.meaning}" for code in Exit)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"sockspec: {message}; see {self.prog} --help\n")
        sys.exit(Exit.USAGE)


def words(command: str = "") -> argparse.ArgumentParser:
    """The parser of the whole command line, or of as much as a command needs."""
    parser = _Parser(
        prog="sockspec",
        description="Judge programs that speak TCP or UDP through sockets, with the captured wire as evidence.",
        epilog=_EXAMPLES + "\n" + _EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sockspec {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    alone = command in _MODULES and command != _TELLS_OF_ALL
    for module in [_MODULES[command]] if alone else dict.fromkeys(_MODULES.values()):
        importlib.import_module(f"harness.cli.{module}").offer(commands)
    parser.set_defaults(parser=parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code (see `harness.report.model.Exit`)."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = words(next(iter(given), ""))
    chosen = parser.parse_args(given)
    if chosen.command is None:
        parser.print_help()
        return Exit.USAGE
    try:
        return int(chosen.run(chosen))
    except (RecordError, BaselineError, NotTogether) as refused:
        sys.stderr.write(f"sockspec: {refused}\n")
        return Exit.USAGE
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        return Exit.HOLDS
    except Exception:
        sys.stderr.write(f"{traceback.format_exc()}sockspec: the harness itself broke: please report it\n")
        return Exit.BROKEN
