"""How many tests run at a time, where nobody says: as many as the processors are good for, and few tests need."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from harness import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TEST = re.compile(r"^def ((?:test|check)_\w+)", re.MULTILINE)
_WORD = re.compile(r"[\w\[\]:.-]+")


def default(per_core: int, expression: str | None, each: int = 1) -> int:
    """So many for each processor; of those that the words of -k leave, `each` for every test that can be meant.

    To start one takes a second of a processor, and whoever asks for one test again wants its answer, not a crowd.
    """
    all_of_them = per_core * (os.cpu_count() or 1)
    meant = _meant(expression) if expression else 0
    return min(all_of_them, each * meant) if meant else all_of_them


def words(number: int) -> Sequence[str]:
    """So many at a time, in the words of pytest-xdist; with 0 all in this process."""
    return ["-n", str(number), "--dist", "load", "--maxschedchunk", "1"] if number else []


def _meant(expression: str) -> int:
    """How many tests the words can mean, by the names of tests and of their files; 0 if these tell nothing.

    Of words that all have to be there the rarest counts: the others say which family or which server.
    """
    names = list(_names())
    meant = 0
    for alternative in re.split(r"\bor\b", expression.lower()):
        given = set(_WORD.findall(alternative)) - {"and"}
        found = [sum(word in name for name in names) for word in given]
        if "not" in given or not any(found):
            return 0
        meant += min(filter(None, found))
    return meant


def _names() -> Iterator[str]:
    for file in (bundle.root() / "suites").rglob("test_*.py"):
        folder = f"{file.parent.name}/{file.name}".lower()
        yield from (f"{folder}::{name}".lower() for name in _TEST.findall(file.read_text("utf-8")))
