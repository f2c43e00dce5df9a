"""One look at a subject: does it work, or wait?"""

from __future__ import annotations

import os
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")  # clock ticks of a second


@dataclass(frozen=True)
class Look:
    """What is seen of it at one moment; two looks tell what it has done between them."""

    running: int  # threads that run, or wait for a processor or a disk
    ticks: int  # processor time used so far, in clock ticks
    unsent: int  # octets that either TCP still has to deliver; SYN and FIN count one each, as in the sequence
    ended: bool

    def still_since(self, before: Look) -> bool:
        """Whether nothing has moved since the look before."""
        return not self.running and (self.ticks, self.unsent) == (before.ticks, before.unsent)

    def worked_since(self, before: Look) -> float:
        """Processor time used since the look before, in seconds."""
        return (self.ticks - before.ticks) / _TICKS
