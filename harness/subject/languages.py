"""The languages of mutants: Python runs within the harness, others by what this machine has for them.

The suffix of a mutant's file says what it is written in. An interpreter is started with the file; a compiler makes a
program of it once, which is kept in the user's folder for caches under the digest of its source, so that a change makes
a new one and a second run makes none. Where neither is installed the mutant is *not applicable*, with the reason.

A mutant in another language is started as a user's server is: on the host and port of its command, told ready by its
socket. Python is not here: `harness.subject.inventory` starts that warm.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOT_INSTALLED = "which is not installed"  # by this the proof tells a mutant that is not at hand from a hole


@dataclass(frozen=True)
class Language:
    """A language by what runs or compiles it."""

    name: str
    tool: str  # the interpreter, or the compiler
    options: tuple[str, ...] = ()  # behind the tool, before the file
    compiled: bool = False
    environment: tuple[tuple[str, str], ...] = ()  # variables beside the user's own


LANGUAGES = {
    ".c": Language("C", "cc", ("-std=gnu11", "-O1", "-pthread"), compiled=True),
    ".mjs": Language("JavaScript", "node", environment=(("NODE_EXTRA_CA_CERTS", ""),)),  # to read them takes long
    ".pl": Language("Perl", "perl"),
    ".sh": Language("Shell", "sh"),
}


def lacking(file: Path) -> str:
    """Why the program in `file` cannot run on this machine; "" if it can."""
    language = LANGUAGES[file.suffix]
    if shutil.which(language.tool):
        return ""
    return f"is written in {language.name} and needs {language.tool}, {NOT_INSTALLED}"


def words(file: Path) -> tuple[str, ...]:
    """How the program in `file` is started, without its arguments."""
    language = LANGUAGES[file.suffix]
    return (str(executable(file)),) if language.compiled else (language.tool, *language.options, str(file))


def executable(file: Path) -> Path:
    """Where the program that is made of a source is kept."""
    how = " ".join((*_compiler(file), platform.machine())).encode()
    digest = hashlib.sha256(how + b"\0" + file.read_bytes()).hexdigest()[:16]
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(caches) / "sockspec" / "mutants" / f"{file.stem}-{digest}"


def compile_once(file: Path) -> None:
    """Make the program of a source unless it is there; RuntimeError with what the compiler says if it refuses."""
    made = executable(file)
    if made.exists():
        return
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_name(f"{made.name}.{os.getpid()}")  # of this worker: several may compile at once
    done = subprocess.run(
        [*_compiler(file), "-o", str(unfinished), str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{file.name} does not compile:\n{done.stderr}")
    unfinished.replace(made)


def _compiler(file: Path) -> tuple[str, ...]:
    language = LANGUAGES[file.suffix]
    return (language.tool, *language.options)
