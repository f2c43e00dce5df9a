"""The workflows in docs/ci/: their commands are run on a recorded sample, with a judge that only copies it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.record.store import Store
from harness.report.model import Exit
from harness.tests.cli.test_report import WHOLE
from harness.tests.gate.test_shards import divided
from harness.tests.plugin.sandbox import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(bundle.installed(), reason="docs/ci/ is in the checkout only")

FOLDER = CHECKOUT / "docs" / "ci"

# `check` puts the sample where the report should go, and fails as the sample does; all else is the command itself.
_COMMAND = f"""\
#!/bin/sh
case "$1" in
check)
    while [ "$1" != --shard ]; do shift; done
    cp -r "sample-${{2%/2}}" "$4"
    exit 1
    ;;
*) exec {sys.executable} -m harness "$@" ;;
esac
"""


@pytest.fixture
def job(tmp_path: Path) -> Mapping[str, str]:
    """A folder with the sample in two shards, and an environment whose `sockspec` judges nothing."""
    for one in divided(WHOLE, 2):
        with Store(tmp_path / f"sample-{one.facts.shard[0]}") as store:
            store.begin(one.facts)
            for row in one.results:
                store.append(row)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "sockspec"
    command.write_text(_COMMAND)
    command.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    return {
        **environment(),
        "PATH": path,
        "PYTHONPATH": str(CHECKOUT),
        "SERVE": "./myserver {host} {port}",
        "PROFILE": "echo",
    }


def run(words: list[str], folder: Path, job: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of the job to its end."""
    return subprocess.run(words, cwd=folder, env=dict(job), capture_output=True, text=True, check=False, timeout=60)


def test_the_plain_shell_judges_merges_and_gates(tmp_path: Path, job: Mapping[str, str]) -> None:
    """Its exit code is that of the gate: 1 for what is new, 0 when it is known."""
    first = run(["sh", str(FOLDER / "plain.sh")], tmp_path, job)

    assert first.returncode == Exit.MISSED, first.stderr
    assert "new:\n  fail  a::x" in first.stdout
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        *("shard-1", "shard-2", "whole"),
        *("junit.xml", "run.tap", "summary.md"),
    }

    (tmp_path / "known.toml").write_text('[[known]]\ntest = "a::x"\nreason = "until the rewrite"\n')
    again = run(["sh", str(FOLDER / "plain.sh")], tmp_path, {**job, "RUNS": "again"})
    assert again.returncode == Exit.HOLDS, again.stdout + again.stderr


def test_the_plain_shell_says_what_it_needs(tmp_path: Path, job: Mapping[str, str]) -> None:
    """Without a server to judge."""
    ran = run(["sh", str(FOLDER / "plain.sh")], tmp_path, {**job, "SERVE": ""})

    assert ran.returncode != 0
    assert "say how your server is started" in ran.stderr


def test_the_workflow_for_github_does_the_same(tmp_path: Path, job: Mapping[str, str]) -> None:
    """Each of its lines that calls sockspec, in their order, with the shards of its matrix filled in."""
    lines = re.findall(r"run: (sockspec .*)", (FOLDER / "github.yml").read_text())
    judge, merge, gate = lines
    (tmp_path / "known.toml").write_text("")

    for shard in ("1", "2"):
        ran = run(["sh", "-ec", judge.replace("${{ matrix.shard }}", shard)], tmp_path, job)
        assert ran.returncode == Exit.HOLDS, ran.stderr
    merged = run(["sh", "-ec", merge], tmp_path, {**job, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md"})
    assert merged.returncode == Exit.HOLDS, merged.stderr
    assert "::error file=suites/test_a" in merged.stdout
    assert (tmp_path / "summary.md").read_text().startswith("## sockspec: required behaviour is missed")
    assert run(["sh", "-ec", gate], tmp_path, job).returncode == Exit.MISSED
