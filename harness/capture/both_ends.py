"""The taps of both ends of a link that has a relay between, as one.

Verdicts rest on the near one: `frames` are its frames, as if it were alone. What the relay kept from an end, or changed
on its way, only the other end has seen: `all` has the frames of both, in the order of time, and every frame has the
number of its place there. So one file holds both, and Wireshark numbers frames as a finding does.

A number is given once, and for good: near frames get theirs when they are taken, for a test may ask for them at once,
and a far frame gets its number with the next near one that is later, or with a fence, behind which nothing earlier can
come.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.capture.ring import Counts, Tap
    from harness.lab.fence import Marker
    from harness.wire.frame import Frame


class BothEnds:
    """Two taps; who waits, waits for the near one."""

    def __init__(self, near: Tap, far: Tap) -> None:
        """Take over both."""
        self.near, self.far = near, far
        self.frames: list[Frame] = []  # of the near end
        self.all: list[Frame] = []
        self._later: deque[Frame] = deque()  # of the far end, without a number yet
        self.interface = near.interface

    @property
    def markers(self) -> list[Marker]:
        """The markers that the near tap has seen."""
        return self.near.markers

    def close(self) -> None:
        """Give both rings back to the kernel."""
        self.near.close()
        self.far.close()

    def fileno(self) -> int:
        """The near tap's descriptor, to poll for arriving frames."""
        return self.near.fileno()

    def collect(self) -> int:
        """Take every frame that is there out of both rings; return how many came from the near one."""
        taken = self.near.collect()
        self.far.collect()  # behind the near one: whatever is earlier than a near frame is there by now
        self._later += self.far.frames
        self.far.frames.clear()
        for frame in self.near.frames:
            while self._later and self._later[0].time_ns <= frame.time_ns:
                self._number(self._later.popleft())
            self.frames.append(self._number(frame))
        self.near.frames.clear()
        return taken

    def settle(self) -> None:
        """A fence has gone round: give every far frame its number."""
        while self._later:
            self._number(self._later.popleft())

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for a frame to arrive at the near tap; whether one did."""
        return self.near.wait(seconds)

    def counts(self) -> Counts:
        """The kernel's count of the near tap."""
        return self.near.counts()

    def _number(self, frame: Frame) -> Frame:
        numbered = frame._replace(number=len(self.all) + 1)
        self.all.append(numbered)
        return numbered
