"""`sockspec matrix`: several implementations in one run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.report.model import Exit
from harness.tests.fixtures.running import SERVERS

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

_SUITE = """
    PROFILES = ("echo", "tcp")

    @covers("rfc862:tcp/octets-unchanged")
    def check_comes_back(subject, probe):
        probe.connect(subject).expect_back(b"once")

    def test_of_the_kernel():
        pass
"""

_SUBJECTS = f"""
[right]
serve.echo = "{sys.executable} {SERVERS}/echo_blocking.py {{host}} {{port}}"
serve.tcp = "{sys.executable} {SERVERS}/tcp_blocking.py {{host}} {{port}}"
version = "{sys.executable} -c 'print(1.5)'"

[wrong]
serve = "{sys.executable} {SERVERS.parent}/mutants/echo_upper_cases.py {{host}} {{port}}"
profiles = ["echo"]
"""


@pytest.mark.usefixtures("lab_process")
def test_implementations_are_judged_side_by_side(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """One run and one record; each is asked once, though it speaks two profiles of the test."""
    sandbox.suite(_SUITE)
    (sandbox.root / "subjects.toml").write_text(_SUBJECTS)

    ran = sandbox.run("harness", "matrix", "subjects.toml", f"--report={sandbox.report}", "-n", "0", "-k", "v4")

    assert ran.code == Exit.MISSED, ran.out + ran.err
    assert ran.verdicts == {"comes_back[v4-right]": "pass", "comes_back[v4-wrong]": "fail"}
    assert ran.record.facts.environment["subjects"] == {"right": "1.5"}
    assert ran.record.facts.subjects == ("right", "wrong")
    assert {row.profile for row in ran.record.results} == {"echo"}
    line = "  sample::comes_back    ✓      ✗"
    assert line in ran.out
    assert line in (ran.folder / "implementations.txt").read_text()
    assert ran.record.results[1].again == "sockspec matrix subjects.toml -k 'check_comes_back and v4 and wrong'"

    assert main(["matrix", "--from", str(ran.folder), "--compare", "wrong", "right"]) == Exit.MISSED
    assert "1 behaviour in which wrong and right differ" in capsys.readouterr().out
    assert main(["matrix", "--from", str(ran.folder), "--compare", "wrong", "left"]) == Exit.USAGE
    assert capsys.readouterr().err == "sockspec: --compare 'left' is not in this run; it has right, wrong\n"


def test_what_is_not_said_is_told(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A file or a run, and a file that can be read."""
    assert main(["matrix"]) == Exit.USAGE
    assert capsys.readouterr().err.startswith("sockspec: give the file of the implementations, or --from RUN; see")

    sandbox.suite(_SUITE)
    ran = sandbox.run("harness", "matrix", "nowhere.toml", f"--report={sandbox.report}")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.startswith(
        "ERROR: --subjects nowhere.toml: No such file or directory; give a file as docs/matrix.md"
    )
