"""What `fixtures/mutants/mutants.toml` says of each mutant: the profile it claims, and what it breaks, how."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A subject that is wrong in one named way."""

    name: str
    profile: str
    breaks: str  # requirement id
    how: str = ""
    real: str = ""  # the project that had the bug, if one is known
    server: str = ""  # the reference server that is right, and runs …
    stack: str = ""  # … on this wrong stack

    def __str__(self) -> str:
        return f"{self.name} breaks {self.breaks}: {self.how}"


def parse(text: str) -> tuple[Mutant, ...]:
    """The mutants of a `mutants.toml`, in its order."""
    return tuple(Mutant(name=name, **entry) for name, entry in tomllib.loads(text).items())


def read(root: Path) -> tuple[Mutant, ...]:
    """The mutants that come with the fixtures below `root`."""
    folder = root / "fixtures" / "mutants"
    runtimes = tomllib.loads((folder / "runtimes" / "runtimes.toml").read_text("utf-8"))
    stacks = tomllib.loads((folder / "stacks" / "stacks.toml").read_text("utf-8"))
    return (
        *parse((folder / "mutants.toml").read_text("utf-8")),
        *(Mutant(name=name, profile="runtime", **entry) for name, entry in runtimes.items()),
        *(
            Mutant(name=name, profile="stack", breaks=entry["breaks"], how=entry["how"])
            for name, entry in stacks.items()
        ),
    )
