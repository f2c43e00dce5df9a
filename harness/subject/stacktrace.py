"""A crash as the program itself tells it: exception, message, place. A value; `crash_reports` reads it from stderr."""

from __future__ import annotations

import os.path
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = re.compile(
    r"ECONNRESET|ECONNABORTED|EPIPE|ConnectionReset|ConnectionAborted|BrokenPipe"
    r"|[Cc]onnection reset|[Bb]roken pipe|[Cc]onnection aborted"
)


@dataclass(frozen=True)
class StackTrace:
    """One crash. The place is the deepest frame in the program's own files: in a library it was only noticed."""

    language: str
    exception: str  # its type, or what stands for one: "panic", "heap-use-after-free"
    message: str = ""  # one line
    file: str = ""  # "" where none is told
    line: int = 0
    function: str = ""

    @property
    def said(self) -> str:
        """`ConnectionResetError: [Errno 104] Connection reset by peer`."""
        return ": ".join(filter(None, (self.exception, self.message)))

    @property
    def place(self) -> str:
        """`server.py:9, in serve`; empty where none is told."""
        if not self.file:
            return ""
        where = f"{self.file}:{self.line}" if self.line else self.file
        named = self.function and not self.function.startswith("<")  # `<module>`: none
        return f"{where}, in {self.function}" if named else where

    @property
    def is_lost_connection(self) -> bool:
        """Whether all that happened is that the other end of a connection disappeared."""
        return _LOST.search(self.said) is not None

    def seen_from(self, folder: str) -> StackTrace:
        """The same with a file in `folder` named as from there: in another checkout it is the same file."""
        file = os.path.normpath(self.file) if self.file.startswith(f"{folder.rstrip('/')}/") else ""
        return replace(self, file=os.path.relpath(file, folder)) if file else self

    def __str__(self) -> str:
        return f"{self.said} (at {self.place})" if self.place else self.said

    def as_record(self) -> dict[str, Any]:
        """The crash as a JSON object."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StackTrace:
        """What `as_record` wrote; keys of a later version are left out."""
        return cls(**{one.name: record[one.name] for one in fields(cls) if one.name in record})
