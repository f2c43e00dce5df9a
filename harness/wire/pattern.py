"""What a claim says of a segment, a datagram or an ICMP error: a sender and one property.

    got.FIN        sent.data(size=10)        got.RST | got.FIN        got.SYN & got.segment(mss=1460)

What a pattern does not say, it does not care about: `got.SYN` is a SYN ACK too, `got.ACK` a FIN ACK. Patterns are
values without any code that judges; `match` does that. To add something to say: a want here and a method of `Sender`
that makes it; mypy then names the place in `match` where its judgment is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from harness.payload import count, quote
from harness.wire.icmp import EVERY_KIND
from harness.wire.segment import ACK, FIN, RST, SYN, Datagram, Flags, IcmpError, Segment

# --- wants: one property each, printed in the words of the user


@dataclass(frozen=True)
class WithFlags:
    """All of these flags are set."""

    flags: Flags

    def __str__(self) -> str:
        return str(self.flags)


@dataclass(frozen=True)
class WithoutFlags:
    """None of these flags is set."""

    flags: Flags

    def __str__(self) -> str:
        return f"without {self.flags}"


@dataclass(frozen=True)
class Data:
    """A segment or datagram carries these octets, or so many; any octets, but at least one, if neither is said."""

    octets: bytes | None = None
    size: int | None = None

    def __str__(self) -> str:
        if self.octets is not None:
            return f"data {quote(self.octets)}"
        return "data" if self.size is None else f"data ({count(self.size)})"


@dataclass(frozen=True)
class Acked:
    """So many octets of the stream are acknowledged, or more."""

    octets: int

    def __str__(self) -> str:
        return f"ACK of {count(self.octets)}"


@dataclass(frozen=True)
class Window:
    """The offered window, in octets."""

    exactly: int | None = None
    above: int | None = None

    def __str__(self) -> str:
        return f"window above {self.above}" if self.exactly is None else f"window {self.exactly}"


@dataclass(frozen=True)
class BareAck:
    """An acknowledgment and nothing else: no data, no SYN, FIN or RST."""

    def __str__(self) -> str:
        return "bare ACK"


FieldName: TypeAlias = Literal["seq", "ack", "size", "mss", "window scale", "SACK permitted", "timestamps"]
FIELD_NAMES: Final[tuple[FieldName, ...]] = get_args(FieldName)


@dataclass(frozen=True)
class Field:
    """One field or option of a segment has this value; True and False: the option is there or not."""

    name: FieldName
    value: int | bool

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return f"{'with' if self.value else 'without'} {self.name}"
        return f"with {self.name} {self.value}"


@dataclass(frozen=True)
class Icmp:
    """An ICMP error says this."""

    kind: str

    def __str__(self) -> str:
        return f"ICMP {self.kind}"


Want: TypeAlias = WithFlags | WithoutFlags | Data | Acked | Window | BareAck | Field | Icmp
Kind: TypeAlias = type[Segment] | type[Datagram] | type[IcmpError]

KIND_WORDS: Final[dict[Kind, str]] = {Segment: "segment", Datagram: "datagram", IcmpError: "ICMP error"}
QUALIFIERS: Final = (WithoutFlags, Field)  # wants that are said behind a noun


@dataclass(frozen=True)
class Template:
    """One sender, one kind of packet, and all that is wanted of it."""

    sent: bool
    kind: Kind
    wants: tuple[Want, ...] = ()

    def __str__(self) -> str:
        nouns = " and ".join(str(want) for want in self.wants if not isinstance(want, QUALIFIERS))
        if self.kind is Datagram:
            nouns = nouns.replace("data", "datagram", 1)
        qualifiers = ", ".join(str(want) for want in self.wants if isinstance(want, QUALIFIERS))
        words = (sender_word(self.sent), nouns or KIND_WORDS[self.kind], qualifiers)
        return " ".join(word for word in words if word)


def sender_word(sent: bool) -> str:
    """Who put it on the wire, told from the probe's side."""
    return "sent" if sent else "got"


@dataclass(frozen=True)
class Pattern:
    """One template, or several of which any will do."""

    alternatives: tuple[Template, ...]

    def __or__(self, other: Pattern) -> Pattern:
        """Either of the two."""
        return Pattern(tuple(dict.fromkeys(self.alternatives + other.alternatives)))

    def __and__(self, other: Pattern) -> Pattern:
        """Both of one packet."""
        both = [
            Template(a.sent, a.kind, tuple(dict.fromkeys(a.wants + b.wants)))
            for a in self.alternatives
            for b in other.alternatives
            if (a.sent, a.kind) == (b.sent, b.kind)
        ]
        if not both:
            raise ValueError(f"nothing can be both {self} and {other}")
        return Pattern(tuple(dict.fromkeys(both)))

    def __str__(self) -> str:
        for sender in (sent, got):
            if set(self.alternatives) == {Template(sender.sent, kind) for kind in KIND_WORDS}:
                return f"{sender} anything"
        return " or ".join(map(str, self.alternatives))


# --- the words `sent` and `got`


@dataclass(frozen=True)
class Sender:
    """Who put it on the wire, and all that can be said of it."""

    sent: bool

    def __str__(self) -> str:
        return sender_word(self.sent)

    def _segment(self, *wants: Want) -> Pattern:
        return Pattern((Template(self.sent, Segment, wants),))

    @property
    def SYN(self) -> Pattern:  # noqa: N802 - the RFC's name
        """A segment with SYN."""
        return self._segment(WithFlags(SYN))

    @property
    def SYN_ACK(self) -> Pattern:  # noqa: N802
        """A segment with SYN and ACK."""
        return self._segment(WithFlags(Flags(SYN | ACK)))

    @property
    def FIN(self) -> Pattern:  # noqa: N802
        """A segment with FIN."""
        return self._segment(WithFlags(FIN))

    @property
    def RST(self) -> Pattern:  # noqa: N802
        """A segment with RST."""
        return self._segment(WithFlags(RST))

    @property
    def ACK(self) -> Pattern:  # noqa: N802
        """A segment with ACK, whatever else it does."""
        return self._segment(WithFlags(ACK))

    def data(self, octets: bytes | None = None, *, size: int | None = None) -> Pattern:
        """A segment that carries data: any, exactly these octets, or so many."""
        if octets == b"" or (size is not None and size < 1):
            raise ValueError("a segment without data is said as segment(size=0) or bare_ack()")
        return self._segment(_data(octets, size))

    def acked(self, octets: int) -> Pattern:
        """A segment that acknowledges the first `octets` of the stream, or more.

        Octets are counted and not sequence numbers, because the test knows how many it sent and SYN is none of its
        business: after 10 octets the ACK field is 11. "Or more", because ACKs are cumulative (RFC 9293 3.4) and the
        receiver may wait for more before it answers. A FIN takes a number too: `acked(11)` holds if 10 octets and the
        FIN behind them were acknowledged.
        """
        if octets < 0:
            raise ValueError(f"{octets} octets cannot be acknowledged")
        return self._segment(Acked(octets))

    def window(self, exactly: int | None = None, *, above: int | None = None) -> Pattern:
        """A segment that offers this window, or one above; in octets, scaled."""
        if (exactly is None) == (above is None):
            raise ValueError("window(n) or window(above=n)")
        return self._segment(Window(exactly, above))

    def taken(self, octets: int) -> Pattern:
        """An acknowledgment of so many octets or a closed window: all were taken, or what there was room for."""
        return self.acked(octets) | self.window(0)

    def bare_ack(self) -> Pattern:
        """A segment that acknowledges and does nothing else."""
        return self._segment(BareAck())

    def segment(
        self,
        *,
        flags: str | int | None = None,
        without: str | int | None = None,
        seq: int | None = None,
        ack: int | None = None,
        size: int | None = None,
        mss: int | None = None,
        window_scale: int | None = None,
        sack_permitted: bool | None = None,
        timestamps: bool | None = None,
    ) -> Pattern:
        """A segment with these flags and without those, and with these fields; numbers are relative."""
        fields: tuple[tuple[FieldName, int | bool | None], ...] = (
            ("seq", seq),
            ("ack", ack),
            ("size", size),
            ("mss", mss),
            ("window scale", window_scale),
            ("SACK permitted", sack_permitted),
            ("timestamps", timestamps),
        )
        wants: list[Want] = []
        if flags is not None:
            wants.append(WithFlags(_flags(flags)))
        if without is not None:
            wants.append(WithoutFlags(_flags(without)))
        wants.extend(Field(name, value) for name, value in fields if value is not None)
        return self._segment(*wants)

    def datagram(self, octets: bytes | None = None, *, size: int | None = None) -> Pattern:
        """A datagram: any, even an empty one, exactly these octets, or so many."""
        wants = () if octets is None and size is None else (_data(octets, size),)
        return Pattern((Template(self.sent, Datagram, wants),))

    def icmp(self, kind: str | None = None) -> Pattern:
        """An ICMP error about this flow: any, or of this kind (`icmp.EVERY_KIND` has the words)."""
        if kind is None:
            return Pattern((Template(self.sent, IcmpError),))
        if kind not in EVERY_KIND:  # a slip of the pen would make expect_no hold for ever
            raise ValueError(f"{kind!r} is no ICMP error; they are: {', '.join(sorted(EVERY_KIND))}")
        return Pattern((Template(self.sent, IcmpError, (Icmp(kind),)),))


def _data(octets: bytes | None, size: int | None) -> Data:
    if octets is not None and size is not None:
        raise ValueError("say the octets or their number, not both")
    return Data(octets, size)


def _flags(flags: str | int) -> Flags:
    return Flags.named(flags) if isinstance(flags, str) else Flags(flags)


sent: Final = Sender(sent=True)
got: Final = Sender(sent=False)
