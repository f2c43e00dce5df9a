"""Fetches what servers by others need, into a folder of our own: `sockspec proof --install`.

Packages of Debian are downloaded by apt-get and unpacked by dpkg-deb, with what they depend on, and never installed: so
no service starts, no file of the machine changes, and no privilege is needed. Python packages go where `pip --target`
puts them and packages of npm where `npm --prefix` does, never into an environment of the user's. What cannot be had
stays absent, and the run says so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.subject.foreign import Foreign, Store

_BUDGET = 300.0  # seconds for one command: a slow mirror, a large package
_TO_INSTALL = re.compile(r"^Inst (\S+)", re.MULTILINE)


def install(servers: Iterable[Foreign], store: Store, say: Callable[[str], object]) -> None:
    """Fetch what the servers lack, and `say` in a line what cannot be had, and why."""
    debian: dict[str, None] = {}
    python: dict[str, None] = {}
    node: dict[str, None] = {}
    for server in servers:
        if store.lacking(server):
            missing = server.debian if store.found(server) is None else ()
            debian |= dict.fromkeys(missing)
            python |= dict.fromkeys(server.pip)
            node |= dict.fromkeys(server.npm)
    for name in debian:
        if reason := unpack(name, store):
            say(f"{name} cannot be had: {reason}")
    for name in python:
        if reason := add_module(name, store):
            say(f"{name} cannot be had: {reason}")
    for name in node:
        if reason := add_node_package(name, store):
            say(f"{name} cannot be had: {reason}")


def unpack(package: str, store: Store) -> str:
    """Unpack a package of Debian, and what of its dependencies this machine lacks; why not, "" when it is done."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "apt-get and dpkg-deb are not on this machine"
    planned, refused = _run(["apt-get", "install", "--simulate", "--no-install-recommends", package])
    names = needed(planned, package)
    downloads = store.folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    if not refused:
        _, refused = _run(["apt-get", "download", *names], downloads)
    for file in sorted(downloads.glob("*.deb")):
        if not refused:
            _, refused = _run(["dpkg-deb", "--extract", str(file), str(store.root)])
    shutil.rmtree(downloads)
    return refused


def needed(simulated: str, package: str) -> list[str]:
    """The packages that `apt-get install --simulate` would install; the one asked for, if that is installed already."""
    return list(dict.fromkeys([*_TO_INSTALL.findall(simulated), package]))


def add_module(package: str, store: Store) -> str:
    """Put a Python package beside the others; why not, "" when it is done."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    _, refused = _run([*pip, "install", "--only-binary=:all:", "--upgrade", "--target", str(store.site), package])
    return refused


def add_node_package(package: str, store: Store) -> str:
    """Install a package of npm beside the others, without running its scripts; why not, "" when it is done."""
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
    store.node.mkdir(parents=True, exist_ok=True)
    _, refused = _run(["npm", "install", "--prefix", str(store.node), *quiet, package])
    return refused


def _run(command: list[str], folder: Path | None = None) -> tuple[str, str]:
    """What a command printed, and the last line of its complaint if it was refused."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_BUDGET, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit {done.returncode}"]
    return done.stdout, lines[-1] if done.returncode else ""
