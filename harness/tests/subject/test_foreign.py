"""Servers by others: what the table says, where a program is found, and why one is absent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.spec.catalogue import load
from harness.subject import foreign
from harness.subject.foreign import Foreign, Store, parse
from harness.subject.inventory import mutants, reference_servers
from harness.subject.protocol import kind_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store on a machine that has no programs."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return Store(tmp_path)


def program(folder: Path, name: str) -> Path:
    """An executable file."""
    folder.mkdir(parents=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_table_holds_together() -> None:
    """Profiles and requirements are known, names are nobody else's, and what a command names in our folder is there."""
    catalogue = {requirement.id for requirement in load()}
    for server in foreign.table():
        assert kind_of(server.profile)
        assert server.findings.keys() <= catalogue
        assert server.name not in reference_servers().keys() | mutants().keys()
        for word in server.command.split():
            if word.startswith("{here}/"):
                assert (bundle.root() / "fixtures" / "foreign" / word.removeprefix("{here}/")).exists()


def test_an_entry_is_read() -> None:
    text = """
        [cat]
        profile = "echo"
        command = "cat {port}"
        debian = ["coreutils"]
        [cat.findings]
        "rfc862:udp/empty" = "sleeps"
    """

    assert parse(text) == (
        Foreign("cat", "echo", "cat {port}", ("coreutils",), findings={"rfc862:udp/empty": "sleeps"}),
    )


def test_what_is_nowhere_is_absent_with_the_remedy(store: Store) -> None:
    absent = store.program(Foreign("cat", "echo", "cat {port}", debian=("coreutils",))).absent

    assert absent == "needs coreutils (Debian), which is not installed; `sockspec proof --install` fetches it"


def test_a_program_of_the_store_is_found_with_its_libraries(store: Store) -> None:
    path = program(store.root / "usr" / "sbin", "served")
    (store.root / "usr" / "lib" / "x86_64-linux-gnu").mkdir(parents=True)

    found = store.program(Foreign("served", "echo", "served {host} {here}/a {scratch}"))

    here = bundle.root() / "fixtures" / "foreign"
    assert found.words == (str(path), "{host}", f"{here}/a", "{scratch}")
    assert found.absent == ""
    assert dict(found.environment)["LD_LIBRARY_PATH"] == str(store.root / "usr" / "lib" / "x86_64-linux-gnu")


def test_the_machine_s_own_program_goes_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    program(store.root / "usr" / "bin", "served")
    own = program(store.folder / "own", "served")
    monkeypatch.setenv("PATH", str(own.parent))

    assert store.found(Foreign("served", "echo", "served")) == str(own)


def test_a_module_is_looked_for_in_the_store(store: Store) -> None:
    server = Foreign("known", "echo", "python {here}/known.py", pip=("sockspec_unheard_of",))

    assert store.lacking(server) == "sockspec_unheard_of (Python package index)"
    (store.site / "sockspec_unheard_of").mkdir(parents=True)
    assert store.lacking(server) == ""
    assert store.program(server).words[0] == sys.executable


def test_a_node_package_is_looked_for_in_the_store(store: Store) -> None:
    program(store.root / "usr" / "bin", "node")
    server = Foreign("known", "http", "node {here}/known.cjs", npm=("sockspec-unheard-of",))

    assert store.lacking(server) == "sockspec-unheard-of (npm)"
    (store.node / "node_modules" / "sockspec-unheard-of").mkdir(parents=True)
    assert store.lacking(server) == ""
    assert dict(store.program(server).environment)["NODE_PATH"] == str(store.node / "node_modules")
