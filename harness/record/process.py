"""What became of the subject's process in one test, and what its clients saw of it: facts, from which causes are told.

A finding says what a test missed. Whether it missed that because the subject had crashed is seen from here, in the same
row; no finding is left out of the record for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.subject.stacktrace import StackTrace

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ProcessRecord:
    """A process that sockspec started, at the end of one test."""

    status: str  # "exit 1", "killed by SIGPIPE", "still running"
    ended: bool = False
    expected: bool = False  # whether it was to end, or might: the test ended it, or its profile lets it
    last: str = ""  # the last line of its stderr
    trace: StackTrace | None = None  # the crash that its stderr tells of; it may have gone on after it
    clients: int = 0  # connections that clients of the test had
    closed: int = 0  # of these, how many it ended by itself (FIN or RST), not by its own end

    @property
    def crashed(self) -> bool:
        """Whether it has ended although it should go on serving."""
        return self.ended and not self.expected

    def as_record(self) -> dict[str, Any]:
        """The facts as a JSON object."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ProcessRecord:
        """What `as_record` wrote; keys of a later version are left out."""
        known = {one.name: record[one.name] for one in fields(cls) if one.name in record}
        trace = known.get("trace")
        return cls(**{**known, "trace": StackTrace.from_record(trace) if trace is not None else None})
