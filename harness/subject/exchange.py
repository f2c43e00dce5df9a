"""What is asked of a server and what comes back: the exchanges of one session, and what holds for all sessions. Values.

One client's own words are those of `Protocol.of()`. What an answer tells and a later request repeats is known when the
answer has come: until then its name stands in the request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.payload import quote
from harness.subject.answer import CLIENT, Answer, Matching, filled, marker

if TYPE_CHECKING:
    from harness.subject.answer import Values

STREAM = "protocol"  # what the tests of every own protocol over TCP name in PROFILES
DATAGRAM = "udp-protocol"  # and those over UDP


@dataclass(frozen=True)
class Exchange:
    """One request, and what has to come back."""

    send: bytes
    answer: Answer
    name: str = ""

    def of(self, values: Values) -> Exchange:
        """The same with these values filled in."""
        return replace(self, send=filled(self.send, values), answer=self.answer.of(values))

    def __str__(self) -> str:
        return self.name or quote(self.send)


@dataclass(frozen=True)
class Protocol:
    """What a server answers: the exchanges of one session, in order."""

    name: str
    transport: str  # "tcp" or "udp"
    exchanges: tuple[Exchange, ...]
    purpose: str = ""
    greeting: Answer | None = None  # what the server says first, None when the client speaks first
    server_closes: bool = False  # behind the last answer; else the client does
    pipelining: bool = False  # requests may be sent before the answers to earlier ones came
    repeatable: bool = True  # all exchanges may be said again on the same connection
    client_alphabet: str = "digits"  # of what stands for {client}
    client_length: int = 8  # octets of it
    unasked: Matching | None = None  # what the server may say at any time
    requests: int | None = None  # that one connection lasts for; None where there is no limit
    idle_limit: float | None = None  # seconds behind which the server may close on a client that says nothing
    other_port: bool = False  # answers come from a port of their own, to which the rest of the exchange goes
    farewell: bytes = b""  # what a client sends last, and no answer comes; empty where it sends nothing

    def of(self, client: bytes) -> Protocol:
        """What one client says and hears, where the file has each say something of its own."""
        if not self.personal:
            return self
        values = {CLIENT: client}
        exchanges = tuple(exchange.of(values) for exchange in self.exchanges)
        unasked = self.unasked and self.unasked.of(values)
        return replace(self, exchanges=exchanges, unasked=unasked, farewell=filled(self.farewell, values))

    @property
    def personal(self) -> bool:
        """Whether clients have to differ in what they say."""
        return any(marker(CLIENT) in exchange.send for exchange in self.exchanges)

    @property
    def tells_values(self) -> bool:
        """Whether an answer has a value that is said again later."""
        answers = (self.greeting, *(exchange.answer for exchange in self.exchanges))
        return any(isinstance(answer, Matching) and answer.names for answer in answers)

    def rounds(self, wanted: int) -> int:
        """How often all exchanges are said on one connection, of so many times that are wanted."""
        if not self.repeatable:
            return 1
        return wanted if self.requests is None else max(1, min(wanted, self.requests // len(self.exchanges)))

    @property
    def kind(self) -> str:
        """What the tests that judge it name in their PROFILES."""
        return STREAM if self.transport == "tcp" else DATAGRAM

    def __str__(self) -> str:
        return f"{self.name}: {self.purpose}" if self.purpose else self.name
