"""A checkout whose suites are a test's own: pytest and the command run there, and what they leave can be read.

Everything but `suites/` is linked to this checkout, so the harness that runs is the one under test, found as a user's
would be: by the folder it lies in.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from harness.record.store import RunRecord, load

CHECKOUT = Path(__file__).parents[3]
_LINKED = ("harness", "fixtures", "conftest.py", "pyproject.toml")
_BUDGET = 60.0  # seconds for one run on a loaded machine


@dataclass(frozen=True)
class Ran:
    """What a run answered and printed, and the folder of its record."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def record(self) -> RunRecord:
        """What it wrote down."""
        return load(self.folder)

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each test by its name alone: `sample::holds` is "holds"."""
        return {row.test.partition("::")[2]: row.verdict.value for row in self.record.results}

    @property
    def counts(self) -> dict[str, int]:
        """The totals that the JUnit file claims for the whole run."""
        root = ET.parse(self.folder / "junit.xml").getroot()
        return {name: int(root.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}

    @property
    def evidence(self) -> dict[str, list[str]]:
        """The files in each test's evidence folder, by the test's name."""
        rows = [row for row in self.record.results if row.evidence]
        return {
            row.test.partition("::")[2]: sorted(path.name for path in (self.folder / row.evidence).iterdir())
            for row in rows
        }


class Sandbox:
    """The checkout of one test."""

    def __init__(self, root: Path) -> None:
        """Link what is not the test's own."""
        self.root = root
        self.report = root / "report"
        (root / "suites").mkdir()
        (root / "reports").mkdir()
        (root / "reports" / "templates").symlink_to(CHECKOUT / "reports" / "templates")
        for name in _LINKED:
            (root / name).symlink_to(CHECKOUT / name)

    def suite(self, text: str, name: str = "sample") -> None:
        """Write the suite `suites/test_<name>.py`."""
        head = "import os, pytest\nfrom harness.suite import *\n"
        (self.root / "suites" / f"test_{name}.py").write_text(head + textwrap.dedent(text))

    def program(self, name: str, text: str) -> None:
        """Write an executable file."""
        path = self.root / name
        path.write_text(textwrap.dedent(text).lstrip())
        path.chmod(0o755)

    def pytest(self, *words: str) -> Ran:
        """`pytest suites …` with a report folder of its own."""
        return self.run("pytest", "suites", "-q", f"--report={self.report}", *words)

    def check(self, *words: str) -> Ran:
        """`sockspec check …` with a report folder of its own, in one process unless told otherwise."""
        workers = () if "-n" in words else ("-n", "0")
        return self.run("harness", "check", f"--report={self.report}", *workers, *words)

    def start(self, module: str, *words: str) -> subprocess.Popen[str]:
        """Start `python -m MODULE …`, outputs piped. It hears SIGINT, as we may not (`make test &`)."""
        heard = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=self.root,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, heard)

    def run(self, module: str, *words: str) -> Ran:
        """`python -m MODULE …` to its end."""
        with self.start(module, *words) as process:
            out, err = process.communicate(timeout=_BUDGET)
        return Ran(process.returncode, out, err, self.report)


def environment() -> dict[str, str]:
    """The environment of a user: without the pytest around us, without hypothesis, and with bytecode kept.

    The last two halve the time that a run takes to start.
    """
    strange = ("PYTEST_", "COV_", "GITHUB_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    return kept | {"PYTEST_ADDOPTS": "-p no:hypothesispytest"}
