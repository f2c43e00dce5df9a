"""What a program prints: kept in part, and looked through for a text."""

from __future__ import annotations

from dataclasses import dataclass, field

_KEEP = 32 * 1024  # octets kept of the beginning and of the end of what a program prints


@dataclass
class Heard:
    """What a program printed on one descriptor: the beginning, the end, and how much there was between."""

    awaited: bytes = b""  # a text without a line end that is looked for
    has_it: bool = False  # whether it was among what was printed
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, octets: bytes) -> None:
        """Take in what was read."""
        if self.awaited and not self.has_it:
            # The text may have come in two parts: of what was before as much as could begin it.
            before = bytes((self.head[-len(self.awaited) :] + self.tail)[-len(self.awaited) :])
            self.has_it = self.awaited in before + octets
        self.size += len(octets)
        room = _KEEP - len(self.head)
        self.head += octets[:room]
        self.tail += octets[room:]
        del self.tail[:-_KEEP]

    def text(self) -> str:
        """Readable text; octets that are no UTF-8 are shown escaped."""
        left_out = self.size - len(self.head) - len(self.tail)
        gap = f"\n… {left_out} octets left out …\n".encode() if left_out else b""
        return bytes(self.head + gap + self.tail).decode(errors="backslashreplace")
