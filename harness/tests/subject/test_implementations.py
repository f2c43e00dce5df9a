"""A file of implementations is read whole, or refused in one line; the one that comes along names every server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import bundle
from harness.subject.implementations import Implementation, read, version_of
from harness.subject.inventory import Program, reference_servers


def test_both_forms_are_read(tmp_path: Path) -> None:
    """A command for each profile, or one for all."""
    path = tmp_path / "subjects.toml"
    path.write_text(
        '[one]\nserve.echo = "./one {port}"\nserve.tcp = "./one -t"\nversion = "./one -v"\n'
        '[two]\nserve = "./two"\nprofiles = ["echo"]\n'
    )

    assert read(path) == (
        Implementation(
            "one", (Program("one", "echo", ("./one", "{port}")), Program("one", "tcp", ("./one", "-t"))), "./one -v"
        ),
        Implementation("two", (Program("two", "echo", ("./two",)),)),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names nobody; write a table for each implementation, with serve ="),
        ("[one", "this is no TOML: "),
        ('one = "x"', "[one] is no table; write serve ="),
        ('[one]\nserve = "./one"', "[one] does not say how it is started; write serve ="),
        ('[one]\nprofiles = ["echo"]', "[one] does not say how it is started; write serve ="),
        ('[one]\ncommand = "x"', "[one]: 'command' is not known; it may have serve, profiles, version, ready"),
        ('[one]\nserve.ehco = "x"', "[one]: 'ehco' is not known; the profiles are echo"),
        ('[one]\nserve.echo = "\'"', '[one]: --serve "\'": No closing quotation; check the quotes'),
        ('["a-b"]\nserve.echo = "x"', "[a-b]: a name is one word without - : / [ ]"),
        ('[one]\nserve.echo = "x {prot}"', "[one]: --serve 'x {prot}': {prot} is not known; did you mean {port}?"),
        ('[one]\nserve.echo = "x"\nready = true', "[one]: 'ready' is no text; write it in quotes"),
        ('[one]\nserve.echo = "x"\nready = ""', "[one]: 'ready' '' is no part of a line; give a text"),
        ('[one]\nserve.echo = "x"\nready-budget = 0', "[one]: 'ready-budget' is no number of seconds"),
        ('[one]\nserve.echo = "x"\nversion = 1', "[one]: 'version' is no command; write it in quotes"),
    ],
)
def test_a_bad_file_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    """With the file, the table and what to write."""
    path = tmp_path / "f.toml"
    path.write_text(text)

    with pytest.raises(ValueError) as refused:
        read(path)

    assert told in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_the_file_that_comes_along_has_every_reference_server() -> None:
    """A column for each engine; a server that is added is added there, unless a command alone does not start it."""
    found = read(bundle.root() / "fixtures" / "subjects.toml")

    started = {Path(program.words[1]).stem: program.profile for one in found for program in one.programs}
    assert started == {name: server.profile for name, server in reference_servers().items() if not server.own_tcp}


def test_a_version_is_the_first_line() -> None:
    """And nothing where it cannot be had."""
    assert version_of(f"{sys.executable} -c 'print(\"one 1.2\\nmore\")'") == "one 1.2"
    assert version_of("./nowhere --version") == ""
