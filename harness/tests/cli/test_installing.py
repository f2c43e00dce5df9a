"""What servers by others need: which packages are fetched, with tools that only write down how they were called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli.installing import install, needed, unpack
from harness.subject.foreign import Foreign, Store

if TYPE_CHECKING:
    from pathlib import Path

SIMULATED = """\
Reading package lists...
Inst libwrap0 (7.6.q-32 Debian:12.15/oldstable [amd64])
Inst socat (1.7.4.4-2 Debian:12.15/oldstable [amd64])
Conf libwrap0 (7.6.q-32 Debian:12.15/oldstable [amd64])
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but an apt-get and a dpkg-deb of ours; the folder where they are."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, lines in {
        "apt-get": f"case $1 in install) echo '{SIMULATED}';; download) : > libwrap0.deb; : > socat.deb;; esac",
        "dpkg-deb": 'case $2 in *socat.deb) : > "$3.socat";; esac',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("simulated", "names"), [(SIMULATED, ["libwrap0", "socat"]), ("", ["socat"])], ids=["with what it needs", "alone"]
)
def test_which_packages_are_fetched(simulated: str, names: list[str]) -> None:
    assert needed(simulated, "socat") == names


@pytest.mark.usefixtures("tools")
def test_a_package_is_unpacked_and_nothing_else_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    assert unpack("socat", store) == ""
    assert [path.name for path in store.folder.iterdir()] == ["debian.socat"]


def test_why_not_is_said(tools: Path, tmp_path: Path) -> None:
    """Once for each package, in the words of the tool."""
    (tools / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package socat' >&2\nexit 100\n")
    said: list[str] = []
    servers = [Foreign(name, "echo", "socat {port}", debian=("socat",)) for name in ("one", "two")]

    install(servers, Store(tmp_path / "store"), said.append)

    assert said == ["socat cannot be had: E: Unable to locate package socat"]


def test_a_machine_without_apt(tools: Path, tmp_path: Path) -> None:
    (tools / "apt-get").unlink()

    assert unpack("socat", Store(tmp_path / "store")) == "apt-get and dpkg-deb are not on this machine"


def test_a_package_of_npm_goes_into_the_store(tools: Path, tmp_path: Path) -> None:
    """Below a folder of its own, and none of its scripts is run."""
    (tools / "npm").write_text('#!/bin/sh\necho "$@" > "$3.called"\n')
    (tools / "npm").chmod(0o755)
    (tools / "node").symlink_to(tools / "npm")
    store = Store(tmp_path / "store")
    said: list[str] = []

    install([Foreign("served", "http", "node {here}/a.cjs", npm=("express",))], store, said.append)

    called = (store.folder / "node.called").read_text().split()
    assert called[:3] == ["install", "--prefix", str(store.node)]
    assert "--ignore-scripts" in called
    assert called[-1] == "express"
    assert said == []


def test_why_a_package_of_npm_cannot_be_had_is_said(tools: Path, tmp_path: Path) -> None:
    (tools / "npm").write_text("#!/bin/sh\necho 'npm error 404 Not Found' >&2\nexit 1\n")
    (tools / "npm").chmod(0o755)
    (tools / "node").symlink_to(tools / "npm")
    said: list[str] = []

    install([Foreign("served", "http", "node {here}/a.cjs", npm=("express",))], Store(tmp_path / "store"), said.append)

    assert said == ["express cannot be had: npm error 404 Not Found"]
