"""`sockspec completion SHELL`: the script by which a shell completes commands, options, profiles, links and folders.

It is made from the parsers of the command line, so it knows what they know; profiles are added as choices here only,
since any FILE.toml is one too.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.cli.words import command
from harness.lab import link_profile
from harness.report.model import Exit
from harness.subject import protocol
from harness.subject.profile import PROFILES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")

_FOLDERS = {"RUN", "DIR", "A", "B"}
_FILES = {"FILE"}


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(
        commands,
        "completion",
        brief="print what makes a shell complete these words",
        examples=(
            'eval "$(sockspec completion bash)"                     in ~/.bashrc',
            'sockspec completion zsh > "${fpath[1]}/_sockspec"      then start zsh anew',
            "sockspec completion fish > ~/.config/fish/completions/sockspec.fish",
        ),
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    for action in _actions(chosen.parser):
        if action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # as shtab documents it
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # likewise
        elif "--profile" in action.option_strings:
            action.choices = [*PROFILES, *protocol.samples()]
        elif "--link" in action.option_strings:
            action.choices = link_profile.names()
    sys.stdout.write(shtab.complete(chosen.parser, shell=chosen.shell))
    return Exit.HOLDS


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of those beneath it."""
    for action in parser._actions:
        yield action
        if isinstance(action.choices, dict):
            for beneath in action.choices.values():
                yield from _actions(beneath)
