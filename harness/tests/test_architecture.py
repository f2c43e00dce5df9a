"""The shape of the harness: which part may know which, and what only one module may touch.

Every module is parsed, so that an import within a function or for types alone counts too. A rule that is broken is told
with the place and the arrow, as `harness/lab/near.py:9: lab imports wire, but …`.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HARNESS = Path(__file__).parents[1]
ROOT = HARNESS.parent

# Imports go down only: a part may know itself and the parts in rows below its own (DESIGN.md 3).
ROWS = (
    ("__main__",),
    ("cli",),
    ("plugin",),
    ("suite",),
    ("proof", "gate"),
    ("report",),
    ("record",),
    ("explore",),
    ("probe",),
    ("subject",),
    ("capture",),
    ("lab",),
    ("analysis",),
    ("wire",),
    ("spec",),
    ("verdict", "budget", "payload", "bundle"),
    ("__init__",),
)
ROW = {part: row for row, parts in enumerate(ROWS) for part in parts}

# Functions of octets and times: what these could reach the world with is not theirs.
PURE = {"wire", "analysis", "spec", "proof", "gate", "verdict", "payload"}
WORLD = {"asyncio", "multiprocessing", "select", "signal", "socket", "subprocess", "threading"}

# Who alone may import it.
RESERVED = {
    "time": ("harness/budget.py",),
    "scapy": ("harness/capture/scapy_layers.py",),
    "pyroute2": (),  # of tests and benchmarks only
    "jinja2": ("harness/report/",),
    "tomlkit": ("harness/gate/",),
    "hypothesis": ("harness/explore/",),
    "pytest": ("harness/plugin/", "harness/cli/"),
    "_pytest": ("harness/plugin/",),
    "xdist": ("harness/plugin/",),
}

# A clock by another name. Methods are told by their last word: `datetime.now()`, `datetime.datetime.now()`.
CLOCKS = {"now": ("datetime",), "utcnow": ("datetime",), "today": ("date", "datetime")}
SLEEPS = {"sleep", "wait_for_timeout"}


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: str  # relative to the repository, with / between
    source: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        """What it says, parsed when a rule asks for it: every worker collects this file, and few run its tests."""
        return ast.parse(self.source, self.path)

    @property
    def part(self) -> str:
        """The part of the harness that it belongs to: `wire` of harness/wire/flow.py, `suite` of harness/suite.py."""
        return self.path.split("/")[1].removesuffix(".py")

    @property
    def name(self) -> str:
        """As it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def imports(self) -> Iterator[tuple[int, str]]:
        """Every imported name in full, with its line: `harness.budget.Deadline`, `os`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)

    def calls(self) -> Iterator[tuple[int, list[str]]]:
        """Every call by the words of its name: `time.sleep(1)` is ["time", "sleep"]."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                words: list[str] = []
                function = node.func
                while isinstance(function, ast.Attribute):
                    words.insert(0, function.attr)
                    function = function.value
                if isinstance(function, ast.Name):
                    words.insert(0, function.id)
                yield node.lineno, words


def modules(folder: Path) -> list[Module]:
    found = sorted(path for path in folder.rglob("*.py") if "_bundle" not in path.parts)
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in found]


def is_test(module: Module) -> bool:
    return module.path.startswith("harness/tests/")


OURS = modules(HARNESS)
LIBRARY = [module for module in OURS if not is_test(module)]
TESTS = [module for module in OURS if is_test(module)]
SUITES = modules(ROOT / "suites")


# --- the rules, each from a module to what it breaks


def against_the_arrow(module: Module) -> list[str]:
    """Imports of a part that stands in a higher row, or beside."""
    wrong = []
    for line, name in module.imports():
        if name.startswith("."):
            wrong.append(f"{module.path}:{line}: imports {name} by its place; write the name in full")
        if name.partition(".")[0] != "harness":
            continue
        word = name.split(".")[1]
        part = word if word in ROW else "__init__"  # `from harness import __version__`
        if word == "tests":
            wrong.append(f"{module.path}:{line}: {module.part} imports the tests")
        elif part != module.part and ROW[part] <= ROW[module.part]:
            wrong.append(
                f"{module.path}:{line}: {module.part} imports {part}, but the arrow goes {part} → {module.part}"
            )
    return wrong


def out_of_place(module: Module) -> list[str]:
    """Imports of what is reserved for others."""
    wrong = []
    for line, name in module.imports():
        top = name.partition(".")[0]
        places = RESERVED.get(top)
        if places is not None and not module.path.startswith(places):
            wrong.append(f"{module.path}:{line}: imports {top}, which only {' and '.join(places)} may")
        if module.part in PURE and top in WORLD:
            wrong.append(f"{module.path}:{line}: {module.part} is pure, but imports {top}")
    return wrong


def clocks(module: Module) -> list[str]:
    """Calls that read a clock under another name."""
    return [
        f"{module.path}:{line}: reads a clock with {'.'.join(words)}(); take the time from harness.budget"
        for line, words in module.calls()
        if module.path != "harness/budget.py" and len(words) > 1 and words[-2] in CLOCKS.get(words[-1], ())
    ]


def sleeps(module: Module) -> list[str]:
    """Calls that wait for nothing but time."""
    return [
        f"{module.path}:{line}: {'.'.join(words)}() waits for nothing that has a name"
        for line, words in module.calls()
        if words and words[-1] in SLEEPS
    ]


def beyond_the_suite(module: Module) -> list[str]:
    """Imports of a suite other than harness.suite, pytest and the standard library."""
    wrong = []
    for line, name in module.imports():
        top = name.partition(".")[0]
        allowed = name.startswith("harness.suite.") or name == "harness.suite" or top == "pytest"
        if not allowed and top not in sys.stdlib_module_names:
            wrong.append(
                f"{module.path}:{line}: imports {name}; a suite knows harness.suite, pytest and the standard library"
            )
        if top == "time":
            wrong.append(f"{module.path}:{line}: imports time; a suite reads no clock")
    return wrong


def claims_that_are_none(module: Module) -> list[str]:
    """What of pytest ends a test in another way than a missed claim does: the verdict would be an error of ours."""
    return [
        f"{module.path}:{node.lineno}: pytest.{node.attr}() is no claim; take raises() of harness.suite, or assert"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("pytest", "raises"), ("pytest", "fail")}
    ]


def carried_by(name: str) -> set[str]:
    """The modules of the harness that are loaded with one of them."""
    known = {module.name: module for module in LIBRARY}
    carried: set[str] = set()
    waiting = [name]
    while waiting:
        module = known[waiting.pop()]
        carried.add(module.name)
        origins = {origin for _, full in module.imports() for origin in (full, full.rpartition(".")[0])}
        waiting += [origin for origin in origins & known.keys() if origin not in carried]
    return carried


def broken(rule: object, among: list[Module]) -> list[str]:
    assert callable(rule)
    return [complaint for module in among for complaint in rule(module)]


# --- what is


def test_every_part_has_its_row() -> None:
    """A new part must be given a place before it may be imported or import."""
    assert {module.part for module in LIBRARY} - ROW.keys() == set()


def test_imports_go_one_way() -> None:
    """plugin, cli → report → record → probe → subject → capture → lab → analysis → wire → spec → verdict …"""
    assert broken(against_the_arrow, LIBRARY) == []


def test_what_is_reserved_is_imported_in_its_place_only() -> None:
    """The clock, scapy, netlink, templates and pytest each have one home; pure parts cannot reach the world."""
    assert broken(out_of_place, LIBRARY) == []


def test_only_budget_reads_a_clock() -> None:
    """Time is an argument, or it comes from budget."""
    assert broken(clocks, LIBRARY + TESTS + SUITES) == []


def test_nobody_sleeps() -> None:
    """Neither the harness, nor its tests, nor the suites."""
    assert broken(sleeps, LIBRARY + TESTS + SUITES) == []


def test_the_lab_process_carries_nothing_that_judges() -> None:
    """It is started for every worker, and what runs with its rights stays small."""
    parts = {name.split(".")[1] for name in carried_by("harness.lab.process") if "." in name}

    assert parts == {"lab", "budget"}


def test_suites_know_one_module_of_the_harness() -> None:
    """harness.suite is all that a suite needs."""
    assert broken(beyond_the_suite, SUITES) == []


def test_suites_claim_in_their_own_words() -> None:
    """What a subject misses is a fail, never an error of the harness."""
    assert broken(claims_that_are_none, SUITES) == []


# Runs in an interpreter of its own: what others have written is loaded once, then each module in a fork of its own.
_ALONE = """
import importlib, os, sys, traceback
import hypothesis, jinja2, pytest, xml.etree.ElementTree
assert not [name for name in sys.modules if name.split('.')[0] == 'harness']
started = set()
for name in sys.argv[1:]:
    pid = os.fork()
    started.add(pid)
    if not pid:
        try:
            importlib.import_module(name)
        except BaseException:
            print(name, traceback.format_exc(), flush=True)
            os._exit(1)
        os._exit(0)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in started]))
"""


def test_every_module_imports_alone() -> None:
    """In any order, without a cycle, and without a warning."""
    alone = [module.name for module in LIBRARY if module.part != "__main__"]  # importing __main__ runs the command

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ALONE, *alone], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


# --- the rules can see what they forbid


@pytest.mark.parametrize(
    ("rule", "path", "source", "complaint"),
    [
        pytest.param(
            against_the_arrow,
            "harness/wire/flow.py",
            "from harness.capture.ring import Tap",
            "harness/wire/flow.py:1: wire imports capture, but the arrow goes capture → wire",
            id="upwards",
        ),
        pytest.param(
            against_the_arrow,
            "harness/probe/client.py",
            "def f():\n    import harness.plugin.options",
            "harness/probe/client.py:2: probe imports plugin, but the arrow goes plugin → probe",
            id="within a function",
        ),
        pytest.param(
            against_the_arrow,
            "harness/suite.py",
            "if TYPE_CHECKING:\n    from harness.plugin import naming",
            "harness/suite.py:2: suite imports plugin, but the arrow goes plugin → suite",
            id="for types",
        ),
        pytest.param(
            against_the_arrow,
            "harness/budget.py",
            "from harness import payload",
            "harness/budget.py:1: budget imports payload, but the arrow goes payload → budget",
            id="among the lowest",
        ),
        pytest.param(
            against_the_arrow,
            "harness/wire/flow.py",
            "from .match import pick",
            "harness/wire/flow.py:1: imports .match.pick by its place; write the name in full",
            id="relative",
        ),
        pytest.param(
            against_the_arrow,
            "harness/report/html.py",
            "from harness.tests.report import samples",
            "harness/report/html.py:1: report imports the tests",
            id="tests",
        ),
        pytest.param(
            out_of_place,
            "harness/record/store.py",
            "import time",
            "harness/record/store.py:1: imports time, which only harness/budget.py may",
            id="time",
        ),
        pytest.param(
            out_of_place,
            "harness/capture/ring.py",
            "from scapy.layers.inet import TCP",
            "harness/capture/ring.py:1: imports scapy, which only harness/capture/scapy_layers.py may",
            id="scapy",
        ),
        pytest.param(
            out_of_place,
            "harness/subject/process.py",
            "import pytest",
            "harness/subject/process.py:1: imports pytest, which only harness/plugin/ and harness/cli/ may",
            id="pytest",
        ),
        pytest.param(
            out_of_place,
            "harness/wire/decode.py",
            "import socket",
            "harness/wire/decode.py:1: wire is pure, but imports socket",
            id="impure",
        ),
        pytest.param(
            clocks,
            "harness/record/facts.py",
            "import datetime\nstamp = datetime.datetime.now()",
            "harness/record/facts.py:2: reads a clock with datetime.datetime.now(); take the time from harness.budget",
            id="datetime",
        ),
        pytest.param(
            sleeps,
            "suites/tcp/test_x.py",
            "from time import sleep as wait\nimport asyncio\nasyncio.sleep(1)",
            "suites/tcp/test_x.py:3: asyncio.sleep() waits for nothing that has a name",
            id="sleep",
        ),
        pytest.param(
            beyond_the_suite,
            "suites/tcp/test_x.py",
            "import json\nfrom harness.suite import got\nimport pytest\nfrom harness.wire.pattern import got",
            "suites/tcp/test_x.py:4: imports harness.wire.pattern.got;"
            " a suite knows harness.suite, pytest and the standard library",
            id="suite",
        ),
        pytest.param(
            claims_that_are_none,
            "suites/tcp/test_x.py",
            "import pytest\nwith pytest.raises(OSError):\n    pass",
            "suites/tcp/test_x.py:2: pytest.raises() is no claim; take raises() of harness.suite, or assert",
            id="raises",
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_place(rule: object, path: str, source: str, complaint: str) -> None:
    """What each rule forbids, and how it says so."""
    assert broken(rule, [Module(path, source)]) == [complaint]
