"""Several implementations that are judged side by side, as a file names them.

    [asyncio]
    serve.echo = "python3 fixtures/servers/echo_asyncio.py {host} {port}"      # a command for each profile
    serve.greeting = "python3 fixtures/servers/greeting_asyncio.py {host} {port}"
    version = "python3 --version"                                              # optional: for the record

    [mine]
    serve = "./mine {host} {port}"                                             # or one for all
    profiles = ["echo", "tcp"]
    ready = "listening"                                                        # optional: as --ready says it
    ready-budget = 30                                                          # optional: seconds

Commands run in the folder in which sockspec was started, as those of `--serve` do.
"""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import budget
from harness.subject import inventory, protocol
from harness.subject.readiness import Ready

if TYPE_CHECKING:
    from pathlib import Path

    from harness.subject.inventory import Program

_KEYS = ("serve", "profiles", "version", "ready", "ready-budget")
_EXAMPLE = 'serve = "./mine {host} {port}" and profiles = ["echo"]'


@dataclass(frozen=True)
class Implementation:
    """One column of the matrix: a name, and how it is started for each profile that it speaks."""

    name: str
    programs: tuple[Program, ...]
    version: str = ""  # the command that prints its version, "" where there is none


def read(path: Path) -> tuple[Implementation, ...]:
    """The implementations that a file names, in its order; ValueError in one line with the remedy."""
    try:
        entries = tomllib.loads(path.read_bytes().decode())
    except OSError as refused:
        raise ValueError(f"{path}: {refused.strerror}; give a file as docs/matrix.md shows it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: this is no TOML: {error}; write it as docs/matrix.md shows") from None
    if not entries:
        raise ValueError(f"{path} names nobody; write a table for each implementation, with {_EXAMPLE}")
    return tuple(_implementation(f"{path}: [{name}]", name, entry) for name, entry in entries.items())


def version_of(command: str) -> str:
    """The first line that a command prints, "" where it cannot be had: it is for the record, and judges nothing."""
    try:
        ran = subprocess.run(
            shlex.split(command), capture_output=True, timeout=budget.RESPONSE, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return (ran.stdout or ran.stderr).decode(errors="replace").strip().partition("\n")[0]


def _implementation(place: str, name: str, entry: Any) -> Implementation:
    if not isinstance(entry, dict):
        raise ValueError(f"{place} is no table; write {_EXAMPLE} beneath it")
    if unknown := [key for key in entry if key not in _KEYS]:
        raise ValueError(f"{place}: {unknown[0]!r} is not known; it may have {', '.join(_KEYS)}")
    if not name or any(character in "[]-:/ " for character in name):
        raise ValueError(f"{place}: a name is one word without - : / [ ], since it becomes a part of test ids")
    serve, profiles = entry.get("serve"), entry.get("profiles", [])
    if isinstance(serve, str) and isinstance(profiles, list) and profiles:
        serve = {profile: serve for profile in profiles if isinstance(profile, str)}
    if not isinstance(serve, dict) or not serve or not all(isinstance(command, str) for command in serve.values()):
        raise ValueError(f'{place} does not say how it is started; write {_EXAMPLE}, or serve.echo = "…" for each')
    version = entry.get("version", "")
    if not isinstance(version, str):
        raise ValueError(f"{place}: 'version' is no command; write it in quotes")
    ready = _ready(place, entry)
    return Implementation(name, tuple(_program(place, name, *one, ready) for one in serve.items()), version)


def _ready(place: str, entry: dict[str, Any]) -> Ready | None:
    word, budget = entry.get("ready"), entry.get("ready-budget")
    if word is not None and not isinstance(word, str):
        raise ValueError(f"{place}: 'ready' is no text; write it in quotes")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float) or budget <= 0):
        raise ValueError(f"{place}: 'ready-budget' is no number of seconds; write for example 30")
    try:
        return Ready.of(word, budget)
    except ValueError as error:
        raise ValueError(f"{place}: 'ready' {error}") from None


def _program(place: str, name: str, profile: str, command: str, ready: Ready | None) -> Program:
    try:
        protocol.kind_of(profile)
        words = inventory.from_command(command, profile).words
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    return inventory.Program(name, profile, words, ready=ready)
