"""Mutants in other languages than Python: started, compiled once, not applicable where their language is missing."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from harness.subject import languages
from harness.subject.inventory import PORT, in_another_language
from harness.subject.process import start

if TYPE_CHECKING:
    from pathlib import Path

    from harness.lab.handle import Lab

C = """
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &place.sin_addr);
    bind(listener, (struct sockaddr *)&place, sizeof place);
    listen(listener, 8);
    pause();
}
"""
PERL = """
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 8) or die;
sleep;
"""
NODE = """
import net from "node:net";
net.createServer().listen(Number(process.argv[3]), process.argv[2]);
"""


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.mark.parametrize(("suffix", "text"), [(".c", C), (".pl", PERL), (".mjs", NODE)], ids=["c", "perl", "node"])
def test_a_program_in_another_language_is_started_where_it_is_told(
    lab: Lab, tmp_path: Path, suffix: str, text: str
) -> None:
    file = tmp_path / f"echo_other{suffix}"
    file.write_text(text)
    program = in_another_language(tmp_path, "echo_other", "echo")
    if program.absent:
        pytest.skip(program.absent)

    subject = start(lab, program, "v4", dict(os.environ))

    assert (program.name, program.profile, program.ours) == ("echo_other", "echo", False)
    assert subject.address.port == PORT
    subject.close()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs cc")
def test_a_source_is_compiled_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "echo_other.c"
    file.write_text("int main(void) { return 0; }\n")

    languages.compile_once(file)
    made = languages.executable(file)
    changed_ns = made.stat().st_mtime_ns
    languages.compile_once(file)
    assert made.stat().st_mtime_ns == changed_ns

    file.write_text("int main(void) { return 1; }\n")
    languages.compile_once(file)
    assert sorted(path.name for path in made.parent.iterdir()) == sorted([made.name, languages.executable(file).name])


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs cc")
def test_a_source_that_does_not_compile_is_a_mistake_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "echo_other.c"
    file.write_text("int main(void) { retrun 0; }\n")

    with pytest.raises(RuntimeError, match=r"(?s)^echo_other\.c does not compile:\n.*retrun"):
        languages.compile_once(file)


def test_a_language_that_is_not_installed_makes_its_mutant_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "echo_other.c").write_text(C)
    monkeypatch.setenv("PATH", str(tmp_path))

    program = in_another_language(tmp_path, "echo_other", "echo")

    assert program.absent == "is written in C and needs cc, which is not installed"


def test_a_mutant_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no echo_other with a suffix of \.c, \.mjs"):
        in_another_language(tmp_path, "echo_other", "echo")
