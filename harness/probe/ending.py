"""How a connection ends, as our socket meets it and as our client makes it (RFC 9293 3.6, MUST-12)."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """What a reader meets behind the last octet."""

    EOF = "end of stream (FIN)"
    RESET = "reset (RST)"

    def __str__(self) -> str:
        return self.value


class Leaving(Enum):
    """How a client goes."""

    CLOSES = "closes"
    RESETS = "resets"
    RESETS_BEHIND_ITS_FIN = "resets_behind_its_fin"  # then the first send() fails with EPIPE, and raises SIGPIPE

    def __str__(self) -> str:
        return self.value
