"""The words in braces of a command: those that are filled in, those that are refused, and braces that mean nothing."""

from __future__ import annotations

import pytest

from harness.subject import foreign, placeholders
from harness.subject.inventory import from_command

VALUES = {"host": "fd09::2", "port": "7", "address": "[fd09::2]", "scratch": "/tmp/s/1"}


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{host}", "fd09::2"),
        ("{address}:{port}", "[fd09::2]:7"),
        ("--dir={scratch}/db", "--dir=/tmp/s/1/db"),
        ('{"listen":"{address}:{port}","threads":{port}}', '{"listen":"[fd09::2]:7","threads":7}'),
        ('{"a":{"b":{}}}', '{"a":{"b":{}}}'),
        ("{1,2} {0} { host } {}", "{1,2} {0} { host } {}"),
        ("${HOME}/${port}", "${HOME}/${port}"),
        ("{{print}} {{host}}", "{print} {host}"),
        ("{{{port}}}", "{{port}}"),
        ("{prot}", "{prot}"),
    ],
)
def test_what_is_filled_in(word: str, filled: str) -> None:
    """And what stays as it is."""
    assert placeholders.filled([word], VALUES) == [filled]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("{prot}", "{prot} is not known; did you mean {port}? {host}, {port}, {address} and {scratch} are filled in"),
        ("-p{PORT}", "{PORT} is not known; did you mean {port}?"),
        ("{adress}", "did you mean {address}?"),
        ("{log-file}", "{log-file} is not known; {host}, "),
        ("a {x} b", "for braces as they are write {{x}}"),
    ],
)
def test_a_word_that_is_not_known_is_refused(word: str, told: str) -> None:
    """In one line, with the one that was meant where that can be guessed, and with what to write instead."""
    with pytest.raises(ValueError) as refused:
        from_command(f"./server '{word}'", "echo")

    assert told in str(refused.value)
    assert str(refused.value).startswith("--serve ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "word", ['{"a": 1}', "{}", "${HOME}", "{{print}}", "{a,b}", "{1..3}", "{ print $1 }", "{host}"]
)
def test_other_braces_are_the_command_s_own(word: str) -> None:
    assert placeholders.complaint([word]) == ""


def test_which_a_command_takes() -> None:
    """An address is a host, too."""
    program = from_command("./server {address}:{port} {{scratch}}", "echo")

    assert (program.takes_host, program.takes_port, program.takes_scratch) == (True, True, False)
    assert program.command("::1", 7) == ["./server", "[::1]:7", "{scratch}"]
    assert program.command("10.9.0.2", 7) == ["./server", "10.9.0.2:7", "{scratch}"]


@pytest.mark.parametrize("server", foreign.table(), ids=lambda server: server.name)
def test_every_server_by_others_has_words_that_are_known(server: foreign.Foreign) -> None:
    assert placeholders.complaint([server.command.replace("{here}", "/here")]) == ""
