"""Acts: what the relay did to which frame, one value for each frame on which a rule decided. The log is made of them.

An act says enough to be done again. `place` is that of the frame among all that came from its side, so whoever meets
the same frames in the same order may give each the same fate, chance or not (`Relay.replay`). Its str is the line that
a reader of a capture wants:

    dropped: got FIN ACK  6:6(0)  ack 7  win 65536, by 'got FIN is dropped, 1 time at most'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness import budget
from harness.lab import fates
from harness.wire.decode import decode
from harness.wire.frame import Frame
from harness.wire.listing import words
from harness.wire.pattern import sender_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.lab.fates import Fate
    from harness.lab.faults import Fault, Met


LONGEST: Final = 100_000  # acts of a log: a test that goes on for hours on a bad link must not fill the memory


@dataclass(frozen=True)
class Passage:
    """A frame that the relay put on the wire."""

    time_ns: int  # nanoseconds since the epoch, by the clock that the kernel stamps frames with
    sent: bool  # it went on the probe's way, to the subject
    octets: bytes  # from the Ethernet header on

    def as_record(self) -> dict[str, Any]:
        """The passage as a JSON object, octets as hexadecimal digits."""
        return {"time_ns": self.time_ns, "sent": self.sent, "octets": self.octets.hex()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Passage:
        """The passage that `as_record` wrote."""
        return cls(record["time_ns"], record["sent"], bytes.fromhex(record["octets"]))


@dataclass(frozen=True)
class Act:
    """What a rule made of one frame."""

    number: int  # of the act, from 1
    time_ns: int  # when it was decided, nanoseconds since the epoch, by the clock that the kernel stamps frames with
    sent: bool  # the probe sent the frame
    place: int  # of the frame among all that came from its side, from 1; the markers of fences do not count
    octets: bytes  # the frame as it came, from the Ethernet header on
    what: str  # the frame in the words of a listing, numbers relative: "got FIN ACK  6:6(0)  ack 7  win 65536"
    fate: Fate
    rule: str  # in words
    passed: tuple[Passage, ...] = ()  # what went on instead, and the answer to the sender if there was one; up to now

    def __str__(self) -> str:
        return f"{self.fate.done}: {self.what}, by {self.rule!r}"

    def as_record(self) -> dict[str, Any]:
        """The act as a JSON object, octets as hexadecimal digits."""
        return {
            "number": self.number,
            "time_ns": self.time_ns,
            "sent": self.sent,
            "place": self.place,
            "octets": self.octets.hex(),
            "what": self.what,
            "fate": fates.as_record(self.fate),
            "rule": self.rule,
            "passed": [passage.as_record() for passage in self.passed],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Act:
        """The act that `as_record` wrote."""
        return cls(
            **{
                **record,
                "octets": bytes.fromhex(record["octets"]),
                "fate": fates.from_record(record["fate"]),
                "passed": tuple(map(Passage.from_record, record["passed"])),
            }
        )


@dataclass
class Deed:
    """An act while it goes on: a frame that is held or late has yet to pass."""

    met: Met
    fault: Fault
    time_ns: int
    passed: list[Passage] = field(default_factory=list)

    def passes(self, octets: bytes, *, sent: bool) -> None:
        """Note what the relay has just put on the wire."""
        self.passed.append(Passage(budget.wall_ns(), sent, octets))


class Log:
    """The acts of one relay. They are put into words when somebody asks, not while frames wait."""

    def __init__(self, longest: int = LONGEST) -> None:
        """Keep so many acts at most."""
        self.left_out = 0  # acts behind those
        self._longest = longest
        self._deeds: list[Deed] = []

    def opened(self, met: Met, fault: Fault) -> Deed:
        """A rule has decided over a frame."""
        deed = Deed(met, fault, budget.wall_ns())
        if len(self._deeds) < self._longest:
            self._deeds.append(deed)
        else:
            self.left_out += 1
        return deed

    def acts(self) -> tuple[Act, ...]:
        """All of them up to now, in the order in which they were decided."""
        return tuple(
            Act(
                number,
                deed.time_ns,
                deed.met.sent,
                deed.met.place,
                deed.met.octets,
                _words(deed.met),
                deed.fault.fate,
                str(deed.fault),
                tuple(deed.passed),
            )
            for number, deed in enumerate(self._deeds, 1)
        )


def _words(met: Met) -> str:
    """The frame as a listing has it; one that belongs to no flow by what kind it is."""
    if met.step is not None:
        return f"{sender_word(met.sent)} {words(met.step)}"
    packets = decode([Frame(0, 0, met.sent, met.octets, len(met.octets))])
    return f"{sender_word(met.sent)} " + ", ".join(str(packet).removeprefix("#0 ") for packet in packets)
