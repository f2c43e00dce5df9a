"""The certificate: proof that a capture is whole, without which no verdict rests on it.

Five facts: the opening marker was seen before anything else, the closing fence after it, the kernel dropped no frame
for want of a slot, no acknowledgment covers octets that were not captured, and the octets that the sockets gave are
those on the wire. Where a relay is between the ends, the tap of the subject's end is certified with the other. If one
of these does not hold, what the test would conclude is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FarEnd:
    """What the tap at the subject's end of a link with a relay tells."""

    frames: int
    dropped: int


@dataclass(frozen=True)
class Certificate:
    """What is known about the wholeness of one capture."""

    opened: bool
    closed: bool
    frames: int
    dropped: int
    unseen: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    far: FarEnd | None = None
    why: str = ""  # of a marker or fence that was not seen as it should: what the lab said

    @property
    def holds(self) -> bool:
        """Whether a verdict may rest on the capture."""
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """What is missing, in words."""
        found = []
        why = f" ({self.why})" if self.why else ""
        if not self.opened:
            found.append(f"the opening marker was not the first frame{why}")
        if not self.closed:
            found.append(f"the closing fence was not seen{why if self.opened else ''}")
        for dropped, where in ((self.dropped, ""), (self.far.dropped if self.far else 0, " at the far end")):
            if dropped:
                frames = "1 frame was" if dropped == 1 else f"{dropped} frames were"
                found.append(f"{frames} dropped for want of room{where}")
        return (*found, *_first(self.unseen), *_first(self.differing))

    def __str__(self) -> str:
        if self.holds:
            beside = f" and {self.far.frames} at the far end" if self.far else ""
            return f"whole: {self.frames} frames{beside}, none dropped, every acknowledged octet captured"
        return f"not whole ({self.frames} frames): {'; '.join(self.faults)}"

    def as_record(self) -> dict[str, Any]:
        """The certificate as a JSON object."""
        return {"holds": self.holds, "frames": self.frames, "drops": self.dropped, "text": str(self)}


def _first(lines: tuple[str, ...], shown: int = 3) -> tuple[str, ...]:
    left_out = len(lines) - shown
    return (*lines[:shown], f"and {left_out} more") if left_out > 0 else lines
