"""The commands that judge nothing: what they print, and what they answer."""

from __future__ import annotations

import re

import pytest

from harness import __version__
from harness.cli import main
from harness.cli.main import words
from harness.report.model import Exit
from harness.spec.catalogue import load
from harness.subject.inventory import reference_servers
from harness.subject.profile import PROFILES

COMMANDS = sorted(next(iter(words()._subparsers._group_actions)).choices)  # type: ignore[union-attr, arg-type] # argparse has no other way


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["--version"]) == Exit.HOLDS
    assert capsys.readouterr().out == f"sockspec {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Which begin as the command is called, after a sentence on what it is for."""
    assert _code([name, "--help"]) == Exit.HOLDS
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith(f"usage: sockspec {name}")
    assert re.match(r"[A-Z].*\.\n", rest.replace("\n  ", " ")), rest
    assert re.search(rf"^examples:\n(  .*\n)*  (eval \"\$\()?sockspec {name}", rest, re.MULTILINE)


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"]])
def test_help_has_an_example_that_names_the_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(words) == Exit.HOLDS
    out = capsys.readouterr().out
    assert "examples:\n  sockspec check" in out
    assert "--serve './myserver {host} {port}' --profile echo" in out


def test_help_tells_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    _code(["--help"])
    told = re.findall(r"^  (\d)  (.+)$", capsys.readouterr().out, re.MULTILINE)
    assert told == [(str(int(code)), code.meaning) for code in Exit]


def test_list_names_every_profile_and_reference_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["list"]) == Exit.HOLDS
    words = set(re.findall(r"[\w-]+", capsys.readouterr().out))
    assert words >= PROFILES.keys() | reference_servers().keys()


def test_list_of_requirements_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["list", "--requirements"]) == Exit.HOLDS
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert sorted(told) == sorted(requirement.id for requirement in load())


def test_explain_tells_level_text_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["explain", "rfc9293:SHLD-3"]) == Exit.HOLDS
    out = capsys.readouterr().out
    requirement = load()["rfc9293:SHLD-3"]
    for told in (requirement.id, requirement.strength, requirement.title, requirement.section):
        assert told in out


def test_explain_names_the_mutants_that_prove_its_tests(capsys: pytest.CaptureFixture[str]) -> None:
    _code(["explain", "rfc862:tcp/closes-after-client-fin"])
    assert "echo_never_closes" in capsys.readouterr().out


def test_explain_names_the_tests_that_cover_it(capsys: pytest.CaptureFixture[str]) -> None:
    _code(["explain", "rfc862:tcp/closes-after-client-fin"])
    assert "services/echo::ends_with_fin_after_all_that_it_owes" in capsys.readouterr().out


def test_explain_of_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["explain", "rfc9293:SHLD-33333"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sockspec: ")
    assert "rfc9293:SHLD-33333" in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("lab_process")
def test_doctor_finds_a_lab(capsys: pytest.CaptureFixture[str]) -> None:
    code = _code(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert code == Exit.HOLDS, lines
    assert lines[0].startswith(f"sockspec {__version__}, Linux ")
    marks = [line.split()[:2] for line in lines[1:5]]
    assert marks == [["✓", "lab:"], ["✓", "capture:"], ["✓", "IPv4"], ["✓", "IPv6"]]


def _code(words: list[str]) -> int:
    """What the command answers, by return or by exit."""
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


def test_a_fault_of_our_own_judges_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the exit code in CI must not take it for a fault of the server."""
    monkeypatch.setattr("harness.cli.check.judged", lambda *_: 1 // 0)
    assert main(["check"]) == Exit.BROKEN
    assert capsys.readouterr().err.endswith("sockspec: the harness itself broke: please report it\n")
