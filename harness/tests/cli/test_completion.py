"""Completion scripts: a shell that has read one completes the words of the command."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.cli.completion import SHELLS
from harness.report.model import Exit

if TYPE_CHECKING:
    from pathlib import Path

# Asks bash's completion for what may follow the words given to it, as its line editor would.
_ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_sockspec
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints for a shell."""
    assert main(["completion", shell]) == Exit.HOLDS
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And their options."""
    text = script(shell, capsys)

    for word in ("check", "gate", "baseline", "diff", "merge", "report", "explain", "shard", "markdown", "udp-echo"):
        assert word in text


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_one_for_its_shell(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell reads it without a complaint, where it is installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell, capsys))

    read = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False, timeout=60)

    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["che"], ["check"]),
        (["check", "--sh"], ["--shard"]),
        (["check", "--profile", "green"], []),
        (["check", "--profile", "gree"], ["greeting"]),
        (["gate", "--base"], ["--baseline"]),
        (["completion", "f"], ["fish"]),
        (["diff", "ru"], ["runs"]),
        (["gate", "--baseline", "kn"], ["known.toml"]),
    ],
)
def test_bash_completes(words: list[str], told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, options, profiles, folders and files."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    (tmp_path / "script").write_text(script("bash", capsys))
    (tmp_path / "runs").mkdir()
    (tmp_path / "known.toml").write_text("")

    asked = subprocess.run(
        ["bash", "-c", _ASK, "bash", "./script", "sockspec", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert [line.strip().removesuffix("/") for line in asked.stdout.split()] == told, asked.stderr


def test_a_shell_that_is_not_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that are."""
    with pytest.raises(SystemExit) as end:
        main(["completion", "csh"])

    assert end.value.code == Exit.USAGE
    assert capsys.readouterr().err.startswith("sockspec: argument shell: invalid choice: 'csh'")
