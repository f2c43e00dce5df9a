"""The words in braces of a command, which are filled in when a program is started.

A word in braces that is none of them is refused, lest `{prot}` be handed to a server as it stands. Braces around
anything else are the command's own: `'{"threads": 4}'`, `{}`, `{1,2}`, the shell's `${HOME}`. Who means a word in
braces doubles them: `{{print}}` is `{print}` to the program.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WORDS = {
    "host": "the address to listen on",
    "port": "the port to listen on",
    "address": "the same as it stands before a port, in brackets for IPv6: {address}:{port} is right on both",
    "scratch": "an empty folder for each start, removed after the run",
}
NAMES = tuple(f"{{{word}}}" for word in WORDS)

# The shell's variables; a word in doubled braces; a word in braces.
_BRACES = re.compile(r"\$\{[^}]*\}|\{\{(?P<kept>[A-Za-z][\w-]*)\}\}|\{(?P<word>[A-Za-z][\w-]*)\}", re.ASCII)


def takes(words: Iterable[str], *names: str) -> bool:
    """Whether one of the placeholders with these names is among the words of a command."""
    return any(found["word"] in names for word in words for found in _BRACES.finditer(word))


def filled(words: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """The words of a command with each placeholder filled in."""

    def one(found: re.Match[str]) -> str:
        if found["kept"]:
            return f"{{{found['kept']}}}"
        return values.get(found["word"], found[0]) if found["word"] else found[0]

    return [_BRACES.sub(one, word) for word in words]


def complaint(words: Iterable[str]) -> str:
    """What is wrong with the first placeholder that there is not, in one line with the remedy; "" if there is none."""
    for word in words:
        for found in _BRACES.finditer(word):
            if (name := found["word"]) and name not in WORDS:
                near = difflib.get_close_matches(name.lower(), WORDS, n=1)
                meant = f"did you mean {{{near[0]}}}? " if near else ""
                known = f"{', '.join(NAMES[:-1])} and {NAMES[-1]} are filled in"
                return f"{found[0]} is not known; {meant}{known}; for braces as they are write {{{found[0]}}}"
    return ""
