"""How a connection ends, seen by the socket: an orderly release is not an abort (RFC 9293 3.6, MUST-12)."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """What a reader meets behind the last octet."""

    EOF = "end of stream (FIN)"
    RESET = "reset (RST)"

    def __str__(self) -> str:
        return self.value
