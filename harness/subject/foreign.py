"""Servers by others: known correct programs, from other hands than ours, on which no test may cry wolf.

`fixtures/foreign/foreign.toml` names them with what they need. Where that is already on this machine it is used; else
`sockspec proof --install` fetches it (`harness.cli.installing`) into a folder of its own, and nothing else on the
machine changes. What is in neither place is *not applicable*, with the reason. Here is what is known and where it would
be; nothing is fetched and nothing started.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
import shutil
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness import bundle
from harness.subject.inventory import Program
from harness.subject.readiness import Ready

if TYPE_CHECKING:
    from collections.abc import Mapping

REMEDY = "`sockspec proof --install` fetches it"
PYTHON = "python"  # the first word of a command that this interpreter runs


@dataclass(frozen=True)
class Foreign:
    """An entry of the table: a server by others, and what it needs."""

    name: str
    profile: str
    command: str
    debian: tuple[str, ...] = ()  # packages of Debian
    pip: tuple[str, ...] = ()  # packages of the Python package index, named as they are imported
    npm: tuple[str, ...] = ()  # packages of the npm registry
    findings: Mapping[str, str] = field(default_factory=dict)  # requirement that it does miss → in what
    ready: str = ""  # when it may be judged, as `--ready` says it; "": as soon as it listens

    @property
    def executable(self) -> str:
        """The word that is started."""
        return shlex.split(self.command)[0]


@dataclass(frozen=True)
class Store:
    """The folder of our own into which packages are unpacked."""

    folder: Path

    @property
    def root(self) -> Path:
        """What the packages of Debian hold, laid out as on a machine."""
        return self.folder / "debian"

    @property
    def site(self) -> Path:
        """Python packages for this version of the interpreter."""
        return self.folder / f"python-{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def node(self) -> Path:
        """Packages for Node.js, below `node_modules`."""
        return self.folder / "node"

    @property
    def path(self) -> str:
        """Where programs are looked for: the machine's own first."""
        ours = [str(self.root / name) for name in ("usr/bin", "usr/sbin", "bin", "sbin")]
        return os.pathsep.join([os.environ.get("PATH", os.defpath), *ours])

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """What programs from here need, to find their libraries and modules."""
        libraries = sorted(str(path) for place in ("lib", "usr/lib") for path in self.root.glob(f"{place}/*-linux-*"))
        return (
            ("PATH", self.path),
            ("LD_LIBRARY_PATH", os.pathsep.join([*filter(None, [os.environ.get("LD_LIBRARY_PATH")]), *libraries])),
            ("PYTHONPATH", str(self.site)),
            ("NODE_PATH", str(self.node / "node_modules")),  # read by require(), not by import
            ("NODE_EXTRA_CA_CERTS", ""),  # to read them takes Node.js two thirds of its start, and nobody needs them
        )

    def found(self, server: Foreign) -> str | None:
        """The path of a server's program, None if it is neither on this machine nor here."""
        return sys.executable if server.executable == PYTHON else shutil.which(server.executable, path=self.path)

    def lacking(self, server: Foreign) -> str:
        """What a server needs and is nowhere, "" if nothing."""
        if self.found(server) is None:
            return f"{' and '.join(server.debian) or server.executable} (Debian)"
        modules = [name for name in server.pip if not (self.site / name).exists() and not _importable(name)]
        if modules:
            return f"{' and '.join(modules)} (Python package index)"
        modules = [name for name in server.npm if not (self.node / "node_modules" / name).exists()]
        return f"{' and '.join(modules)} (npm)" if modules else ""

    def program(self, server: Foreign) -> Program:
        """The program that a run can judge; it says why it is absent if it is."""
        lacking = self.lacking(server)
        absent = f"needs {lacking}, which is not installed; {REMEDY}" if lacking else ""
        first, *words = shlex.split(server.command)
        words = [word.replace("{here}", str(bundle.root() / "fixtures" / "foreign")) for word in words]
        found = self.found(server) or first
        return Program(
            server.name,
            server.profile,
            (found, *words),
            environment=self.environment,
            absent=absent,
            ready=Ready.of(server.ready or None, None),
        )


def store() -> Store:
    """The store of this user: `sockspec/foreign` in the folder for caches (XDG base directories)."""
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Store(Path(caches) / "sockspec" / "foreign")


@functools.cache
def table() -> tuple[Foreign, ...]:
    """The servers by others, in the order of the table."""
    return parse((bundle.root() / "fixtures" / "foreign" / "foreign.toml").read_text("utf-8"))


def parse(text: str) -> tuple[Foreign, ...]:
    """The servers that a table names."""
    return tuple(
        Foreign(
            name=name,
            profile=entry["profile"],
            command=entry["command"],
            debian=tuple(entry.get("debian", ())),
            pip=tuple(entry.get("pip", ())),
            npm=tuple(entry.get("npm", ())),
            findings=entry.get("findings", {}),
            ready=entry.get("ready", ""),
        )
        for name, entry in tomllib.loads(text).items()
    )


@functools.cache
def programs() -> dict[str, Program]:
    """The servers by others, by name, absent ones too."""
    place = store()
    return {server.name: place.program(server) for server in table()}


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
