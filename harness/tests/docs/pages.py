"""The documentation as text: its pages, and the blocks of code in them. Nothing here runs anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = bundle.root()
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")

_FENCE = re.compile(r"^ *```")
_NAMED = re.compile(r"# ([\w.-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """One block of code: where it stands, its kind, what it holds."""

    page: str  # relative to the repository
    line: int  # of its first line of text
    kind: str
    text: str

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The file that it is, if its first line is a comment with a name: `# known.toml`."""
        named = _NAMED.match(self.text.partition("\n")[0])
        return named[1] if named else ""

    def __str__(self) -> str:
        return f"{self.place} ({self.kind or 'no kind'})"


def pages() -> dict[str, str]:
    """Every page that is written by hand, by its path; the reference is written by docs/reference.py."""
    paths = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]
    return {_name(path): path.read_text("utf-8") for path in paths}


def blocks(page: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in their order."""
    lines = text.splitlines()
    numbers = iter(range(len(lines)))
    for opening in numbers:
        if not _FENCE.match(lines[opening]):
            continue
        closing = next((number for number in numbers if _FENCE.match(lines[number])), len(lines))
        body = lines[opening + 1 : closing]
        yield Block(page, opening + 2, lines[opening].strip().strip("`").strip(), "\n".join(body) + "\n")


def without_blocks(text: str) -> str:
    """The page without its blocks of code, line for line."""
    shown, within = [], False
    for line in text.splitlines():
        fence = bool(_FENCE.match(line))
        shown.append("" if within or fence else line)
        within = within != fence
    return "\n".join(shown)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
