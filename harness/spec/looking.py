"""Where a test looks: whether what it claims of a requirement is claimed of the wire, read from the suites' source.

A catalogue entry says how a requirement is observed. One that is to be seen on the wire, and whose tests only read back
what a call returns, passes whatever the stack sends. So it is asked of each test whether it looks at frames for this
requirement. Nothing is imported and nothing is run.

Of a test, a requirement has the blocks `with requires("its id")`; without such a block it has all that stands in no
block of another one. It looks when something there asks the wire, or holds what was asked of it before: by a claim or a
query of a flow, of a raw peer, of the capture, or by a function of the module that does.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.spec.citations import covers_of, tests_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.spec.catalogue import Catalogue

WIRE: Final = "wire"

# What is asked of frames, by the last word of the call; `expect` too, where a pattern is among its words.
_QUERIES: Final = frozenset(
    (
        *("wait_for", "expect_only", "expect_no", "expect_silence", "expect_at_once", "handshake", "callers"),
        *("flow", "so_far", "pick", "stream", "frame", "capture", "packets", "sniff"),
    )
)
ANY: Final = "?"  # of a block whose requirement is a variable: it may be each that the test covers
_PATTERNS: Final = frozenset(("got", "sent"))
_FIXTURES: Final = frozenset(("wire", "raw"))  # without one of them there is no frame to look at


@dataclass(frozen=True)
class Blind:
    """A requirement that is to be seen on the wire, and the tests of it, none of which looks there."""

    requirement: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.requirement} is observed on the wire, but no test of it looks there: {', '.join(self.tests)}"


def blind(catalogue: Catalogue, root: Path) -> list[Blind]:
    """The requirements that are observed on the wire, have a test, and are looked for nowhere there."""
    tests: dict[str, list[str]] = {}
    seeing: set[str] = set()
    for path in sorted((root / "suites").rglob("test_*.py")):
        for name, requirement, looks in looks_of(path.read_text("utf-8"), path.relative_to(root).as_posix()):
            tests.setdefault(requirement, []).append(name)
            if looks:
                seeing.add(requirement)
    return [
        Blind(one.id, tuple(tests[one.id]))
        for one in catalogue
        if one.observable == WIRE and one.id in tests and one.id not in seeing
    ]


def looks_of(source: str, path: str) -> Iterator[tuple[str, str, bool]]:
    """Of each test in the source of a suite, and each requirement that it covers, whether it looks at the wire."""
    module = ast.parse(source, path)
    functions = {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)}
    helpers = _that_look(functions)
    for test in tests_in(module):
        given = {argument.arg for argument in test.args.args}
        for requirement in covers_of(test, path):
            looks = bool(given & _FIXTURES) and _looks(list(_claims(test, requirement)), test, helpers)
            yield f"{path}::{test.name}", requirement, looks


def _that_look(functions: dict[str, ast.FunctionDef]) -> set[str]:
    """The functions of a module that look, themselves or by another one."""
    found: set[str] = set()
    while True:
        more = {name for name, one in functions.items() if name not in found and _looks(one.body, one, found)}
        if not more:
            return found
        found |= more


def _claims(test: ast.FunctionDef, requirement: str) -> Iterator[ast.stmt]:
    """The statements of a test that are this requirement's."""
    blocks = {id(one): said for one in ast.walk(test) if (said := _required(one))}
    own = [one for one in ast.walk(test) if blocks.get(id(one)) in (requirement, ANY)]
    if own:
        yield from (statement for one in own if isinstance(one, ast.With) for statement in one.body)
    else:
        yield from _without(test.body, blocks)


def _without(body: Iterable[ast.stmt], blocks: dict[int, str]) -> Iterator[ast.stmt]:
    """The statements that stand in no block of a requirement."""
    for one in body:
        if id(one) in blocks:
            continue
        inner = [statement for statement in ast.walk(one) if id(statement) in blocks]
        if inner and hasattr(one, "body"):
            yield from _without(one.body, blocks)
        else:
            yield one


def _required(node: ast.AST) -> str:
    """The requirement of a block `with requires("…")`; of several managers one is enough."""
    if not isinstance(node, ast.With):
        return ""
    for item in node.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "requires":
            argument = call.args[0]
            return str(argument.value) if isinstance(argument, ast.Constant) else ANY
    return ""


def _looks(claims: Iterable[ast.stmt], test: ast.FunctionDef, helpers: set[str]) -> bool:
    """Whether one of these statements asks the wire, or names what was asked of it."""
    seen = _seen(test, helpers)
    return any(
        _asks(node, helpers) or (isinstance(node, ast.Name) and node.id in seen)
        for claim in claims
        for node in ast.walk(claim)
    )


def _seen(test: ast.FunctionDef, helpers: set[str]) -> set[str]:
    """The names that hold something of the wire."""
    seen: set[str] = set()
    for _ in range(3):  # a name may hold what another one holds, and stand before it in a loop
        for node in ast.walk(test):
            value = getattr(node, "value", None) or getattr(node, "iter", None)
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            if not isinstance(value, ast.AST) or not isinstance(node, ast.Assign | ast.For | ast.comprehension):
                continue
            if any(_asks(one, helpers) or (isinstance(one, ast.Name) and one.id in seen) for one in ast.walk(value)):
                seen |= {
                    one.id for target in targets if target for one in ast.walk(target) if isinstance(one, ast.Name)
                }
    return seen


def _asks(node: ast.AST, helpers: set[str]) -> bool:
    """Whether this is a call that asks the wire."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in helpers
    if not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr in _QUERIES:
        return True
    words = [one for argument in node.args for one in ast.walk(argument) if isinstance(one, ast.Name)]
    return node.func.attr == "expect" and any(one.id in _PATTERNS for one in words)
