"""A conversation: what one client of an own protocol says and hears, on one connection or from one port.

It knows what its file cannot: the client's name, what earlier answers told that later requests repeat, what the server
said unasked, and to which port the rest of an exchange goes. So tests say which exchange, and not which octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import budget
from harness.payload import KiB, count, quote
from harness.probe.ending import Ending
from harness.subject.answer import PERHAPS, SOMETHING, Exactly, Hearing, Matching, asked_for, filled
from harness.subject.client_names import fresh
from harness.verdict import Inconclusive, Mismatch

if TYPE_CHECKING:
    from harness.probe.client import Client
    from harness.probe.datagram import DatagramClient, Received
    from harness.subject.answer import Answer
    from harness.subject.exchange import Exchange, Protocol

LONGEST = 16 * KiB  # octets within which an answer is complete, where no end of stream tells
_AGAIN = 0.5  # seconds behind which a datagram may be sent again, for want of an acknowledgment


class Conversation:
    """One client and its connection."""

    def __init__(self, client: Client, protocol: Protocol) -> None:
        """Begin one, in a name of its own."""
        self.client = client
        self.protocol = fresh(protocol)
        self._values: dict[str, bytes] = {}  # taken from what came
        self._silence = budget.Stopwatch()  # since something was last said or heard

    def __str__(self) -> str:
        return str(self.client)

    def exchange(self, number: int) -> Exchange:
        """One of the file's, in this client's own words."""
        return self.protocol.exchanges[number].of(self._values)

    def again(self) -> list[Exchange]:
        """All exchanges as they are said once more: what their own answers tell, they will tell anew."""
        told = {
            name for one in self.protocol.exchanges if isinstance(one.answer, Matching) for name in one.answer.names
        }
        values = {name: value for name, value in self._values.items() if name not in told}
        return [exchange.of(values) for exchange in self.protocol.exchanges]

    def request(self, number: int) -> bytes:
        """What it says there."""
        return self.exchange(number).send

    def say(self, number: int) -> None:
        """Send the request of one exchange."""
        self.client.send_all(self.request(number))

    def hear_greeting(self) -> None:
        """Claim that the greeting comes, where there is one."""
        if self.protocol.greeting is not None:
            self._hear(self.protocol.greeting, "the greeting", to_end=False)

    def hear(self, number: int) -> None:
        """Claim that the answer of one exchange comes; what the last one is of a server that closes, the end tells."""
        exchange = self.exchange(number)
        last = number == len(self.protocol.exchanges) - 1
        self._hear(exchange.answer, f"the answer to {exchange}", to_end=last and self.protocol.server_closes)

    def converse(self, *, asked: int = 0, until: int | None = None) -> None:
        """All exchanges in order (`until` one of them), of which the first few may be `asked` already."""
        for number in range(len(self.protocol.exchanges))[:until]:
            if number >= asked:
                self.say(number)
            self.hear(number)

    def finish(self) -> None:
        """The end of a session: claim that the server closes, where that is its part, and close."""
        if self.protocol.server_closes:
            self.expect_end()
        self.client.close()

    def expect_end(self) -> None:
        """Claim that the server ends the connection now, with FIN, and has said nothing more but what it may."""
        if self.protocol.unasked is None:
            self.client.expect_end(Ending.EOF)
            return
        more = asked_for(self.client.read_to_end(), self.protocol.unasked)
        if more or self.client.ended is not Ending.EOF:
            raise Mismatch(f"{Ending.EOF}, with no further octet", f"{quote(more)}, then {self.client.ended}")

    def expect_to_stand(self, seconds: float) -> None:
        """Claim that the connection stands while nothing is said for `seconds`, and that nothing comes but what may."""
        watch = budget.Stopwatch()
        came = self.unasked_for(self.client.keep_silent(seconds))
        if came or self.client.ended is not None:
            actual = f"{quote(came)} came" if came else str(self.client.ended)
            expected = f"the connection stands while nothing is said for {seconds:g} s"
            raise Mismatch(expected, f"{actual} after {watch.seconds:.1f} s")
        self._silence = budget.Stopwatch()

    def take_last(self, came: bytes) -> None:
        """Claim that what came up to the end of the stream is the last answer."""
        answer = self.exchange(len(self.protocol.exchanges) - 1).answer
        if not answer.whole(asked_for(came, self.protocol.unasked)):
            raise Mismatch(_asked(answer), _came(came))

    def unasked_for(self, came: bytes) -> bytes:
        """What of octets that came the server may not say unasked."""
        return asked_for(came, self.protocol.unasked)

    def _hear(self, answer: Answer, what: str, *, to_end: bool) -> None:
        try:
            came = heard(self.client, answer, self.protocol, what, to_end=to_end)
        except Mismatch:
            limit, silent = self.protocol.idle_limit, self._silence.seconds
            if limit is not None and silent >= limit and self.client.ended is not None:
                raise Inconclusive(
                    f"we were silent for {silent:.1f} s; the server may close after {limit:g} s"
                ) from None
            raise
        self._silence = budget.Stopwatch()
        self._values.update(answer.taken(came))


def heard(client: Client, answer: Answer, protocol: Protocol, what: str = "", *, to_end: bool = False) -> bytes:
    """Claim that this answer comes, and give it; with `to_end` it is all up to the end of the stream."""
    told = f"{what}: " if what else ""
    if isinstance(answer, Exactly) and protocol.unasked is None:
        try:
            client.expect(answer.octets)
        except Mismatch as missed:
            raise Mismatch(f"{told}{missed.expected}", missed.actual) from None
        return answer.octets
    came = asked_for(client.read_to_end(), protocol.unasked) if to_end else _shortest(client, answer, protocol)
    if not answer.whole(came):
        seen = quote(came) if came else "no octet came"
        raise Mismatch(f"{told}{_asked(answer)}", f"{seen}, then {client.ended or 'nothing more'}")
    return came


def _asked(answer: Answer) -> str:
    return "octets" if answer in {SOMETHING, PERHAPS} else str(answer)


def _came(octets: bytes) -> str:
    return f"{count(len(octets))}, {quote(octets)}" if octets else "no octet came"


def _shortest(client: Client, answer: Answer, protocol: Protocol) -> bytes:
    """The fewest octets that are the answer, so that segments do not matter; all that came if none are."""
    hearing = Hearing(protocol.unasked)
    while not answer.whole(hearing.came) and len(hearing.came) < LONGEST and (octet := client.read(1)):
        hearing.take(octet)
    return hearing.came


class DatagramConversation:
    """One client and its port."""

    def __init__(self, client: DatagramClient, protocol: Protocol) -> None:
        """Begin one, in a name of its own."""
        self.client = client
        self.protocol = fresh(protocol)
        self.place = client.far  # where the next request goes, and whence its answer comes
        self._values: dict[str, bytes] = {}
        self._last: Received | None = None
        self._heard = budget.Stopwatch()  # since that came

    def exchange(self, number: int) -> Exchange:
        """One of the file's, in this client's own words."""
        return self.protocol.exchanges[number].of(self._values)

    def say(self, number: int) -> None:
        """Send one request: the first to where the subject is asked, the rest to where the answer came from."""
        if number == 0:
            self.place = self.client.far
        self.client.send(self.exchange(number).send, to=self.place)

    def hear(self, number: int, *, who: str = "", from_place: bool = True) -> None:
        """Claim that the answer comes, and `from_place`: from where it has to."""
        exchange = self.exchange(number)
        what = "" if exchange.answer in {SOMETHING, PERHAPS} else f" of {exchange.answer}"
        wanted = f"{who}a datagram{what}" + (f" from {self._whence(number)}" if from_place else "")
        came = self._next(wanted)
        if not exchange.answer.whole(came.octets) or (from_place and not self._right(number, came)):
            raise Mismatch(wanted, str(came))
        self._last, self._heard = came, budget.Stopwatch()
        self._values.update(exchange.answer.taken(came.octets))
        if self.protocol.other_port:
            self.place = came.source

    def ask(self, number: int) -> None:
        """Claim that a request draws the answer of the file, from the place that has to answer it."""
        self.say(number)
        self.hear(number)

    def ask_all(self) -> None:
        """Claim that every request draws its answer; then say farewell, where the file has one."""
        for number in range(len(self.protocol.exchanges)):
            self.ask(number)
        self.part()

    def part(self) -> None:
        """Say what a client says last."""
        if self.protocol.farewell:
            self.client.send(filled(self.protocol.farewell, self._values), to=self.place)

    def extra(self) -> list[Received]:
        """What has come beside the answers, without what may come unasked or be sent again."""
        return [came for came in self.client.waiting() if not self._may_come(came)]

    def _next(self, wanted: str) -> Received:
        came = self.client.answer(wanted)
        while self._may_come(came):
            came = self.client.answer(wanted)
        return came

    def _may_come(self, came: Received) -> bool:
        """Whether it is no answer: said unasked, or said again for want of an acknowledgment."""
        if self.protocol.unasked is not None and self.protocol.unasked.whole(came.octets):
            return True
        return self.protocol.other_port and came == self._last and self._heard.seconds >= _AGAIN

    def _whence(self, number: int) -> str:
        if self.protocol.other_port and number == 0:
            return f"another port of {self.client.far.host} than {self.client.far.port}"
        return str(self.place)

    def _right(self, number: int, came: Received) -> bool:
        """Whether it came from where the answer of this exchange has to come from."""
        if not (self.protocol.other_port and number == 0):
            return came.source == self.place
        return came.source.host == self.place.host and came.source.port != self.place.port
