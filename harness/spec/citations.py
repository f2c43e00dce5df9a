"""Which tests cite which requirements, read from the suites' source: nothing is imported, nothing is run.

So that `explain` answers at once, and a requirement that loses its test is noticed. `@covers("…", …)` holds strings as
they are written; what else it were given could not be read here, and is refused.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TESTS = ("test_", "check_")


@dataclass(frozen=True)
class Citation:
    """One test and the requirements that it covers."""

    nodeid: str  # suites/tcp/test_closing.py::test_x, without variants
    covers: tuple[str, ...]  # the first governs

    def __str__(self) -> str:
        return f"{self.nodeid}: {', '.join(self.covers) or 'nothing'}"


class Unreadable(ValueError):  # noqa: N818 - says what the source is
    """A `@covers` that holds more than strings; the message names the place."""


def cited(source: str, path: str) -> list[Citation]:
    """The tests in the source of one suite, those without `@covers` too."""
    return [
        Citation(f"{path}::{test.name}", tuple(covers_of(test, path))) for test in tests_in(ast.parse(source, path))
    ]


def tests_in(module: ast.Module) -> list[ast.FunctionDef]:
    """The tests of a suite."""
    return [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name.startswith(_TESTS)]


def read(root: Path) -> list[Citation]:
    """The tests of every suite below `root`/suites."""
    found = sorted((root / "suites").rglob("test_*.py"))
    return [one for path in found for one in cited(path.read_text("utf-8"), path.relative_to(root).as_posix())]


def covered(citations: Iterable[Citation]) -> tuple[str, ...]:
    """The ids that are cited, sorted."""
    return tuple(sorted({name for citation in citations for name in citation.covers}))


def covers_of(test: ast.FunctionDef, path: str) -> Iterator[str]:
    """The ids that a test cites."""
    for decorator in test.decorator_list:
        if not (isinstance(decorator, ast.Call) and _name(decorator.func) == "covers"):
            continue
        for argument in decorator.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise Unreadable(f"{path}:{argument.lineno}: @covers takes ids as strings, written out")
            yield argument.value


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
