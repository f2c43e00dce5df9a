"""Every block of code in the documentation is tried as a reader would: what is Python runs, what is a command answers.

Commands run in a folder that holds what a page takes for granted: `myserver`, an echo server; `known.toml`, empty; the
checkout's fixtures; two runs, `yesterday` and `today`. A block whose first line names a file, as `# my.toml`, is that
file. A judgment is made with one quick test, so that the whole file takes seconds of processor time, not minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.gate import baseline
from harness.lab import link_profile
from harness.proof import mutants
from harness.report.model import Exit
from harness.spec.catalogue import load
from harness.subject import implementations, protocol
from harness.tests.docs import one_process
from harness.tests.docs.pages import ROOT, Block, blocks, pages, without_blocks
from harness.tests.plugin.sandbox import Sandbox, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bundle.installed(), reason="docs/ is in the checkout only")

KINDS = {
    "python": "compiled; what has a test in it passes in a suite",
    "toml": "read by what the page says reads it",
    "sh": "commands: run, and answer 0 or 1",
    "console": "commands behind `$`, with what they print: run, and answer as is shown",
    "text": "what a program prints, or a drawing: not run",
}

# Commands that are not run, and why.
LEFT_OUT = {
    r"sockspec check .*--soak 600": "takes ten minutes for each family, as it says",
    r"sockspec check .*--explore 600": "takes ten minutes for each family, as it says",
    r"make ": "builds or judges for minutes; CI runs these targets",
    r"bash \.ci/run": "what runs this very test",
    r"pip install ": "installs from a registry",
    r"sockspec (check|proof) --repeat": "takes ten times as long as a run",
    r"sockspec proof -k stack_": "takes a minute; harness/tests/cli/test_proof.py has what it does",
    r"\S*sockspec check (tcp|udp)://": "a server that runs already: harness/tests/cli/test_running.py has one",
}

# What a command needs that not every machine has; without it the command is left out.
BORROWED = ("redis-server",)

# The test by which a page's judgments are made, where the quickest one says nothing of what the page tells.
QUICK = "returns_what_it_gets"
QUICK_FOR = {
    "README.md": "every_size_comes_back_whole",
    "docs/tutorial.md": "survives_a_client_that_resets and connect",
    "docs/gate.md": "returns_what_it_gets or adds_nothing or empty_session",  # one for each shard at least
    "docs/own-protocol.md": "answers_as_described",
    "docs/matrix.md": "returns_what_it_gets and (asyncio or threading)",
    "docs/tutorial-servers.md": "greeting_is_one_line",
    "docs/starting-a-server.md": "returns_what_it_gets or answers_as_described",
}

_BUDGET = 100.0  # seconds for one command on a loaded machine


@cache
def every_block() -> tuple[Block, ...]:
    """All blocks of all pages."""
    return tuple(block for page, text in pages().items() for block in blocks(page, text))


def of(*kinds: str) -> list[Block]:
    """The blocks of these kinds; none where there is no documentation."""
    return [block for block in every_block() if block.kind in kinds] if not bundle.installed() else []


def commands(block: Block) -> Iterator[str]:
    """The commands of a block, each on one line."""
    text = block.text.replace("\\\n", " ")
    if block.kind == "console":
        yield from re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    else:
        yield from (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def reason_not_to_run(command: str) -> str:
    """Why a command is left out; empty if it is to be run."""
    for pattern, reason in LEFT_OUT.items():
        if re.match(pattern, command):
            return reason
    return next((f"{one} is not installed" for one in BORROWED if one in command and not shutil.which(one)), "")


def answers(block: Block) -> tuple[int, ...]:
    """With what its commands may answer: what the block shows, else 0, or 1 for what a judgment may miss."""
    shown = re.search(r"^exit +(\d)", block.text, re.MULTILINE)
    return (int(shown[1]),) if block.kind == "console" and shown else (Exit.HOLDS, Exit.MISSED)


# --- what is there


@pytest.mark.parametrize(
    "block", of(*{block.kind for block in every_block()}) if not bundle.installed() else [], ids=str
)
def test_blocks_are_of_a_known_kind(block: Block) -> None:
    """A kind that is not listed would not be tried."""
    assert block.kind in KINDS, f"{block.place}: say what it is: {', '.join(KINDS)}"


@pytest.mark.parametrize("page", pages() if not bundle.installed() else [])
def test_code_is_fenced(page: str) -> None:
    """An indented block has no kind."""
    lines = ["", *without_blocks(pages()[page]).splitlines()]
    indented = [
        f"{page}:{number}" for number, line in enumerate(lines) if line.startswith("    ") and not lines[number - 1]
    ]

    assert indented == []


def test_what_is_left_out_is_there() -> None:
    """A reason that no command has any more goes."""
    everything = [command for block in of("sh", "console") for command in commands(block)]
    idle = [pattern for pattern in LEFT_OUT if not any(re.match(pattern, command) for command in everything)]

    assert idle in ([], [r"pip install "])  # the registry has no sockspec yet


# --- Python


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")


def test_tests_pass(tmp_path: Path) -> None:
    """Each test that a page shows, in a suite of its own, on IPv4."""
    sandbox = Sandbox(tmp_path)
    shown = [
        block for block in of("python") if not block.file and re.search(r"^def (test|check)_", block.text, re.MULTILINE)
    ]
    for number, block in enumerate(shown):
        sandbox.suite(f"import errno, socket\nPROFILES = ('echo',)\n{block.text}", f"block_{number}")

    ran = sandbox.pytest("--family=v4", "-p", "no:xdist")

    judged = {row.test.partition("::")[0] for row in ran.record.results if row.verdict.value == "pass"}
    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert judged == {f"block_{number}" for number in range(len(shown))}


# --- TOML


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_read_by_its_reader(block: Block, tmp_path: Path) -> None:
    """Profiles, baselines, implementations, and entries of mutants as they are."""
    table = tomllib.loads(block.text)
    if "exchange" in table:
        assert protocol.parse(block.text, block.place).exchanges
    elif "known" in table:
        assert baseline.parse(block.text, block.place).known
    elif any("rules" in entry for entry in table.values()):
        (tmp_path / "links.toml").write_text(block.text)
        assert link_profile.read(tmp_path / "links.toml")
    elif any("serve" in entry for entry in table.values()):
        (tmp_path / "subjects.toml").write_text(block.text)
        assert implementations.read(tmp_path / "subjects.toml")
    else:
        for name, entry in table.items():
            wrong = mutants.Mutant(**{"profile": "runtime", "name": name, **entry})
            assert wrong in mutants.read(ROOT), f"{block.place}: the entry of {name} reads otherwise"
            assert wrong.breaks in load()


# --- commands


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A reader's folder, with what the pages take for granted."""
    server = tmp_path / "myserver"
    server.write_text('#!/bin/sh\nexec python3 fixtures/servers/echo_threading.py "$@"\n')
    server.chmod(0o755)
    (tmp_path / "known.toml").touch()
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


@pytest.mark.parametrize("page", sorted({block.page for block in of("sh", "console")}))
def test_commands_answer(page: str, reader: Path) -> None:
    """From the top of the page to its end, each command once; what an earlier page has and leaves nothing, there."""
    shown = [block for block in every_block() if block.page == page]
    for block in reversed(shown):  # a file that is shown further down is there already
        if block.file:
            (reader / block.file).write_text(block.text)
    tried = {
        command
        for block in of("sh", "console")
        if block.page < page
        for command in commands(block)
        if "--report" not in command
    }
    for block in shown:
        if block.file:
            (reader / block.file).write_text(block.text)
        for command in commands(block) if block.kind in {"sh", "console"} else ():
            if command in tried or reason_not_to_run(command):
                continue
            tried.add(command)
            if "yesterday" in command:
                for name in ("yesterday", "today"):
                    (reader / name).symlink_to("out")
            ran = run(command, page, reader)
            assert ran.returncode in answers(block), f"{block.place}: {command}\n{ran.stdout}{ran.stderr}"


def run(command: str, page: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command, as a shell runs it, in the environment of a reader."""
    words = "-p no:hypothesispytest"
    if "sockspec" in command.partition(" ")[0]:
        # The command's own words stand behind these, and win.
        words += f" -p {one_process.__name__} --family=v4 -k '{QUICK_FOR.get(page, QUICK)}'"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={
            **environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTEST_ADDOPTS": words,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUDGET,
    )
