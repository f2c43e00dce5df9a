"""Bad input: one line that tells what to do, exit code 4, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.report.model import Exit
from harness.subject.profile import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from harness.tests.plugin.sandbox import Sandbox

_PROFILES = ", ".join(PROFILES)
_EXAMPLE = "write for example tcp://127.0.0.1:7 or udp://[::1]:7"

BAD = {
    "unknown profile": (
        ["--profile", "ehco"],
        f"ERROR: --profile 'ehco' is not known; the profiles are {_PROFILES}",
    ),
    "profile missing with --serve": (
        ["--serve", "./server {port}"],
        f"ERROR: say which service the subject speaks: --profile {_PROFILES.replace(', ', ' | ')}",
    ),
    "profile missing with an address": (
        ["tcp://127.0.0.1:7"],
        f"ERROR: say which service the subject speaks: --profile {_PROFILES.replace(', ', ' | ')}",
    ),
    "address and profile that do not fit": (
        ["udp://127.0.0.1:7", "--profile", "echo"],
        "ERROR: udp://127.0.0.1:7 is udp, but the profile 'echo' is spoken over tcp",
    ),
    "both --serve and an address": (
        ["tcp://127.0.0.1:7", "--serve", "./server {port}", "--profile", "echo"],
        "ERROR: give --serve or the address of a running subject, not both",
    ),
    "unknown link profile": (
        ["--link", "moon"],
        (
            "ERROR: --link 'moon' is none; there are clean, lan, wan, lossy, reordering, slow, narrow,"
            " or your own: FILE.toml#NAME"
        ),
    ),
    "link profile in a file that is not there": (
        ["--link", "nowhere.toml#moon"],
        "ERROR: --link nowhere.toml cannot be read: No such file or directory",
    ),
    "link profile under a subject that runs already": (
        ["tcp://127.0.0.1:7", "--profile", "echo", "--link", "lossy"],
        "ERROR: --link needs a link of ours: start the subject with --serve instead of its address",
    ),
    "empty --serve": (
        ["--serve", "", "--profile", "echo"],
        "ERROR: --serve '' names no command; write for example --serve './myserver {host} {port}'",
    ),
    "unbalanced quotes": (
        ["--serve", "sh -c 'serve", "--profile", "echo"],
        'ERROR: --serve "sh -c \'serve": No closing quotation; check the quotes',
    ),
    "a placeholder that is not known": (
        ["--serve", "./server {prot}", "--profile", "echo"],
        "ERROR: --serve './server {prot}': {prot} is not known; did you mean {port}? {host}, {port}, {address} and",
    ),
    "--ready of a server that runs already": (
        ["tcp://127.0.0.1:7", "--profile", "echo", "--ready", "up"],
        "ERROR: --ready is for a server that is started here: give --serve with its command, too",
    ),
    "--ready answered of a server that is spent by it": (
        ["--serve", "./server {port}", "--profile", "one-shot", "--ready", "answered"],
        "ERROR: --ready 'answered': it serves one client, and that would be this one; give a text that",
    ),
    "--ready answered of a server that answers nothing": (
        ["--serve", "./server {port}", "--profile", "discard", "--ready", "answered"],
        "ERROR: --ready 'answered': a server of the profile 'discard' answers nothing; give a text that",
    ),
    "--ready without a text": (
        ["--serve", "./server {port}", "--profile", "echo", "--ready", ""],
        "ERROR: --ready '' is no part of a line; give a text that the server prints, or 'answered'",
    ),
    "address without a scheme": (
        ["127.0.0.1:7", "--profile", "echo"],
        f"ERROR: '127.0.0.1:7' begins with neither tcp:// nor udp://; {_EXAMPLE}",
    ),
    "address without a port": (
        ["tcp://localhost", "--profile", "echo"],
        f"ERROR: 'tcp://localhost' does not name a host and a port; {_EXAMPLE}",
    ),
    "port out of range": (
        ["tcp://localhost:70000", "--profile", "echo"],
        f"ERROR: 'tcp://localhost:70000': Port out of range 0-65535; {_EXAMPLE}",
    ),
    "a host that nobody knows": (
        ["tcp://nobody.invalid:7", "--profile", "echo"],
        "ERROR: 'nobody.invalid' has no address: ",
    ),
    "tests at a time that are no number": (
        ["-n", "many"],
        "sockspec: argument -n: 'many' is no whole number; give 0 or more; see sockspec check --help",
    ),
    "unknown --pcap": (
        ["--pcap", "some"],
        "sockspec: argument --pcap: invalid choice: 'some'",
    ),
    "unknown option": (
        ["--pacp=all"],
        "sockspec: unrecognized arguments: --pacp=all; see sockspec --help",
    ),
    "option without its value": (
        ["--profile"],
        "sockspec: argument --profile: expected one argument; see sockspec check --help",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, line = BAD[case]
    monkeypatch.chdir(tmp_path)
    assert _code(["check", *words]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.rstrip("\n").startswith(line)  # how argparse goes on depends on the version of Python
    assert err.rstrip("\n").count("\n") == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_selector_that_matches_nothing(sandbox: Sandbox, workers: str) -> None:
    sandbox.suite("def test_there(): pass")
    ran = sandbox.check("-k", "nowhere", "-n", workers)
    assert ran.code == Exit.USAGE
    line = "no test is selected by -k 'nowhere'; `pytest suites --collect-only -q` shows the names"
    assert ran.err == f"sockspec: {line}\n"
    assert not ran.folder.exists()


def test_a_report_folder_that_holds_a_run(sandbox: Sandbox) -> None:
    sandbox.suite("def test_there(): pass")
    sandbox.report.mkdir()
    before = sandbox.report / "results.jsonl"
    before.write_text("what was judged before\n")
    ran = sandbox.check()
    assert ran.code == Exit.USAGE
    assert ran.err == f"ERROR: {sandbox.report} holds a run already; give another folder or remove it\n\n"
    assert [path.read_text() for path in sandbox.report.iterdir()] == ["what was judged before\n"]


def test_a_report_folder_that_cannot_be_written(sandbox: Sandbox) -> None:
    sandbox.suite("def test_there(): pass")
    sandbox.report.write_text("a file is in the way")
    ran = sandbox.check()
    assert ran.code == Exit.USAGE
    reason = "(File exists); something of that name is there: give another folder"
    assert ran.err == f"ERROR: cannot write {sandbox.report} {reason}\n\n"
    assert sandbox.report.read_text() == "a file is in the way"


def test_no_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code([]) == Exit.USAGE
    assert "usage: sockspec" in capsys.readouterr().out


def _code(words: list[str]) -> int:
    """What the command answers, by return or by exit."""
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)
