"""Patterns over test ids and messages: `*` is any text and `?` any character, as in a shell.

Brackets stand for themselves, unlike in a shell: ids have them (`services/echo::empty_session[v4]`), and a pattern that
is a copied id must match that id.
"""

from __future__ import annotations

import fnmatch
import re


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern fits the whole text; case counts."""
    if not {"*", "?"} & set(pattern):
        return pattern == text
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def pattern_of(message: str) -> str:
    """A pattern for a message that leaves out what differs from run to run: numbers, and text in quotes."""
    loose = re.sub(r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"|0x[0-9a-f]+|\d+(?:\.\d+)*", "*", message)
    return re.sub(r"\*+", "*", loose)
