"""The programs that a run can judge: reference servers and mutants by name, and commands of the user's.

A reference server is a file `fixtures/servers/<profile>_<engine>.py`, where the profile may be a sample of an own
protocol; its name is all that has to be said of it. A mutant is a file in `fixtures/mutants/`, in Python or in one of
`languages`, or a reference server that runs on a wrong stack, with its line in `mutants.toml`. Any of them brings its
own TCP if the engine in its name is `userspace`. A wrong runtime is a mutant too, with its line in
`runtimes/runtimes.toml` and its function beside that; `runtimes/wrong.py` runs it. So is a wrong stack (see
`harness.lab.stack`).
"""

from __future__ import annotations

import functools
import shlex
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from harness import bundle
from harness.subject import languages, protocol
from harness.subject.profile import PROFILES

STACK = "stack"  # the profile of wrong stacks, which are no programs: they have no words
KERNEL = ("told", "runtime")  # the profiles of programs that make the socket calls which a test wants
USERSPACE = "userspace"  # the engine of servers whose TCP is their own
PORT = 7007  # for {port}: every test has namespaces of its own, so any port is free


@dataclass(frozen=True)
class Program:
    """Something that can be started: its words, with {host} and {port} still to be filled in."""

    name: str
    profile: str
    words: tuple[str, ...]
    ours: bool = False  # written in Python for this harness: started warm, reports on descriptor 3
    own_tcp: bool = False  # it brings its own TCP: it is given the wire, on an address that no kernel owns
    environment: tuple[tuple[str, str], ...] = ()  # variables that it needs beside the user's own
    absent: str = ""  # why it cannot be started on this machine
    stack: str = ""  # the wrong stack beneath it; "" for the kernel as it is
    source: str = ""  # the file that is compiled before it can be started; "" if it is a program already

    @property
    def takes_host(self) -> bool:
        """Whether the command says where to put the host."""
        return any("{host}" in word for word in self.words)

    @property
    def takes_port(self) -> bool:
        """Whether the command says where to put the port."""
        return any("{port}" in word for word in self.words)

    def command(self, host: str, port: int) -> list[str]:
        """The words with host and port filled in; nothing else in braces is touched."""
        return [word.replace("{host}", host).replace("{port}", str(port)) for word in self.words]

    def make(self) -> None:
        """Compile it, where it is a source: once, whoever starts it first."""
        if self.source:
            languages.compile_once(Path(self.source))


def from_command(text: str, profile: str) -> Program:
    """The program behind `--serve TEXT`; ValueError with a remedy when the text cannot be taken apart."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"--serve {text!r}: {error}; check the quotes") from None
    if not words:
        raise ValueError("--serve '' names no command; write for example --serve './myserver {host} {port}'")
    return Program(text, profile, words)


@functools.cache
def reference_servers() -> dict[str, Program]:
    """The reference servers by name (`echo_asyncio`), in the order of their names."""
    folder = bundle.root() / "fixtures" / "servers"
    servers = {}
    for path in sorted(folder.glob("*.py")):
        profile = profile_of(path.stem)
        if profile is not None:
            servers[path.stem] = _ours(path, path.stem, profile)
    return servers


def told_server(wrong: Program | None = None) -> Program:
    """The server that makes the socket calls it is told to make, for tests that judge the kernel's TCP."""
    return _called(wrong, "told", "{host}", "{port}")


def runtime(wrong: Program | None = None) -> Program:
    """The Python process whose socket calls a test makes as if they were its own."""
    return _called(wrong, "runtime")


@functools.cache
def wrong_runtimes() -> dict[str, Program]:
    """The runtimes whose `socket` is wrong in one named way; the two programs above run on them."""
    folder = bundle.root() / "fixtures" / "mutants" / "runtimes"
    table = tomllib.loads((folder / "runtimes.toml").read_text())
    return {name: Program(name, "runtime", (str(folder / "wrong.py"), name), ours=True) for name in table}


@functools.cache
def wrong_stacks() -> dict[str, Program]:
    """The kernels that a rule on the link or a setting makes wrong; the two programs above run on them as they are."""
    table = tomllib.loads((bundle.root() / "fixtures" / "mutants" / "stacks" / "stacks.toml").read_text())
    return {name: Program(name, STACK, (), stack=name) for name in table}


def _called(wrong: Program | None, name: str, *arguments: str) -> Program:
    words = (str(bundle.root() / "fixtures" / "servers" / f"{name}.py"), *arguments)
    return Program(wrong.name if wrong else name, name, (*wrong.words, *words) if wrong else words, ours=True)


@functools.cache
def mutants() -> dict[str, Program]:
    """The mutants by name."""
    folder = bundle.root() / "fixtures" / "mutants"
    table = tomllib.loads((folder / "mutants.toml").read_text())
    return {name: _mutant(folder, name, entry) for name, entry in table.items()}


def _mutant(folder: Path, name: str, entry: dict[str, str]) -> Program:
    if "server" in entry:
        return replace(reference_servers()[entry["server"]], name=name, stack=entry["stack"])
    if (path := folder / f"{name}.py").exists():
        return _ours(path, name, entry["profile"])
    return in_another_language(folder, name, entry["profile"])


def in_another_language(folder: Path, name: str, profile: str) -> Program:
    """The program in the file of that name whose suffix is one of `languages`; it says why it is absent if it is."""
    files = [path for suffix in languages.LANGUAGES if (path := folder / f"{name}{suffix}").exists()]
    if not files:
        raise FileNotFoundError(f"{folder} has no {name} with a suffix of {', '.join(languages.LANGUAGES)}")
    path = files[0]
    language = languages.LANGUAGES[path.suffix]
    return Program(
        name,
        profile,
        (*languages.words(path), "{host}", "{port}"),
        environment=language.environment,
        absent=languages.lacking(path),
        source=str(path) if language.compiled else "",
    )


def profile_of(name: str) -> str | None:
    """The profile that a reference server's file name begins with; the longest one counts."""
    known = (*PROFILES, *protocol.samples())
    fitting = [profile for profile in known if name.startswith(profile.replace("-", "_") + "_")]
    return max(fitting, key=len, default=None)


def _ours(path: Path, name: str, profile: str) -> Program:
    engine = name.removeprefix(profile.replace("-", "_") + "_")
    return Program(name, profile, (str(path), "{host}", "{port}"), ours=True, own_tcp=engine.startswith(USERSPACE))
