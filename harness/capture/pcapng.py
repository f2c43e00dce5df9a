"""Captures as a file: pcapng written, pcapng and classic pcap read (draft-ietf-opsawg-pcapng, draft-ietf-opsawg-pcap).

A capture that we write has one section with the test and its verdict as comment, an interface named for each tap, a
packet block for each frame with its interface, its direction and, where a finding cites it or the relay acted on it,
the reason as comment, and at the end what the kernel counted. Times are in nanoseconds. Wireshark numbers packets by
their place, so a frame must stand where its number says, or the comments would point elsewhere than the failure text.

Pure: octets in, octets out. A file that ends early or that contradicts itself raises `BadCapture`; a shorter capture
than was taken would be a lie about the evidence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.wire.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SECTION, INTERFACE, SIMPLE_PACKET, STATISTICS, PACKET = 0x0A0D0D0A, 1, 3, 5, 6
BYTE_ORDER: Final = 0x1A2B3C4D
ORDERS: Final = {BYTE_ORDER.to_bytes(4, "little"): "<", BYTE_ORDER.to_bytes(4, "big"): ">"}
ETHERNET: Final = 1  # link type
FAR_END: Final = "the subject's end"  # description by which our second interface is told from a stranger's
WHOLE_FRAMES: Final = 262144  # snaplen of a tap that cuts nothing

END, COMMENT = 0, 1
SHB_HARDWARE, SHB_OS, SHB_APPLICATION = 2, 3, 4
IF_NAME, IF_DESCRIPTION, IF_RESOLUTION, IF_OFFSET = 2, 3, 9, 14
EPB_FLAGS: Final = 2
_ONLY_FLAGS: Final = {order: struct.pack(f"{order}HH", EPB_FLAGS, 4) for order in ORDERS.values()}
ISB_RECEIVED, ISB_DROPPED = 4, 5

INBOUND, OUTBOUND = 1, 2  # epb_flags, bits 0 and 1, seen from the probe
NANOSECONDS: Final = 9  # if_tsresol: 10**-9 s
MICROSECONDS: Final = 6  # what holds without the option

# magic number of a classic file as stored -> (byte order, nanoseconds a tick)
CLASSIC: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}


class BadCapture(ValueError):  # noqa: N818 - what the file is
    """The octets are no capture that can be read whole; the message says where."""


@dataclass(frozen=True)
class FarTap:
    """The tap at the subject's end of a link, where a relay is between: the second interface of a file."""

    interface: str
    received: int | None = None  # frames that the kernel counted there
    dropped: int | None = None  # of those, lost for want of space


@dataclass(frozen=True)
class Capture:
    """Frames with all that a file tells of them."""

    frames: tuple[Frame, ...]
    comments: Mapping[int, str] = field(default_factory=dict)  # frame number -> why it is cited
    comment: str = ""  # of the whole: test id and verdict
    hardware: str = ""
    os: str = ""
    application: str = ""
    interface: str = ""
    description: str = ""
    snaplen: int = WHOLE_FRAMES
    received: int | None = None  # frames that the kernel counted at the tap
    dropped: int | None = None  # of those, lost for want of space
    far: FarTap | None = None  # where the frames were seen whose `far` is true

    def __str__(self) -> str:
        dropped = "" if self.dropped is None else f", {self.dropped} dropped"
        return f"capture of {len(self.frames)} frames at {self.interface or 'an unnamed tap'}{dropped}"


# --- writing


def write(capture: Capture) -> bytes:
    """The capture as the octets of a pcapng file."""
    strangers = capture.comments.keys() - {frame.number for frame in capture.frames}
    if strangers:
        raise ValueError(f"comments on frames that are not in the capture: {sorted(strangers)}")
    for place, frame in enumerate(capture.frames, start=1):
        if frame.number != place:
            raise ValueError(f"frame #{frame.number} stands at place {place}: Wireshark would number it differently")
    blocks = [_section(capture), _interface(capture.interface, capture.description, capture.snaplen)]
    if capture.far is not None:
        blocks.append(_interface(capture.far.interface, FAR_END, capture.snaplen))
    elif strays := [frame.number for frame in capture.frames if frame.far]:
        raise ValueError(f"frames of a far tap that the capture does not have: {strays}")
    blocks.extend(_packet(frame, capture.comments.get(frame.number, "")) for frame in capture.frames)
    last_ns = capture.frames[-1].time_ns if capture.frames else 0
    for place, tap in enumerate((capture, capture.far)):
        if tap is not None and (tap.received is not None or tap.dropped is not None):
            blocks.append(_statistics(place, tap.received, tap.dropped, last_ns))
    return b"".join(blocks)


def _section(capture: Capture) -> bytes:
    options = (
        _text(COMMENT, capture.comment),
        _text(SHB_HARDWARE, capture.hardware),
        _text(SHB_OS, capture.os),
        _text(SHB_APPLICATION, capture.application),
    )
    # Version 1.0; a section length of -1 says that it ends where the next begins.
    return _block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1), options)


def _interface(name: str, description: str, snaplen: int) -> bytes:
    options = (
        _text(IF_NAME, name),
        _text(IF_DESCRIPTION, description),
        _option(IF_RESOLUTION, bytes([NANOSECONDS])),
    )
    return _block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, snaplen), options)


def _packet(frame: Frame, comment: str) -> bytes:
    direction = OUTBOUND if frame.sent else INBOUND
    options = (_text(COMMENT, comment), _option(EPB_FLAGS, struct.pack("<I", direction)))
    high, low = frame.time_ns >> 32, frame.time_ns & 0xFFFFFFFF
    header = struct.pack("<IIIII", int(frame.far), high, low, len(frame.octets), frame.size)
    return _block(PACKET, header + _padded(frame.octets), options)


def _statistics(place: int, received: int | None, dropped: int | None, last_ns: int) -> bytes:
    counts = ((ISB_RECEIVED, received), (ISB_DROPPED, dropped))
    options = [_option(code, struct.pack("<Q", number)) for code, number in counts if number is not None]
    return _block(STATISTICS, struct.pack("<III", place, last_ns >> 32, last_ns & 0xFFFFFFFF), options)


def _block(kind: int, body: bytes, options: Iterable[bytes]) -> bytes:
    told = b"".join(options)
    if told:
        told += _option(END, b"")
    size = 12 + len(body) + len(told)
    return struct.pack("<II", kind, size) + body + told + struct.pack("<I", size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _text(code: int, text: str) -> bytes:
    """A text option; nothing for an empty text."""
    octets = text.encode()[:65535].decode(errors="ignore").encode()  # an option holds no more, and whole characters
    return _option(code, octets) if octets else b""


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


# --- reading


def read(octets: bytes) -> Capture:
    """The capture in a pcapng or classic pcap file, ours or another writer's; of Ethernet only."""
    if octets[:4] == SECTION.to_bytes(4, "big"):
        return _read_blocks(octets)
    if octets[:4] in CLASSIC:
        return _read_classic(octets)
    raise BadCapture(f"neither pcapng nor pcap: it begins with {octets[:4].hex(' ') or 'nothing'}")


class _Interface(NamedTuple):
    """What an interface block says that its packets need."""

    per_second: int  # ticks
    offset_s: int
    snaplen: int

    def time_ns(self, ticks: int) -> int:
        """Nanoseconds since the epoch; finer ticks are cut off."""
        return ticks * 10**9 // self.per_second + self.offset_s * 10**9


class _Block(NamedTuple):
    """One block, its body without the lengths."""

    kind: int
    body: bytes
    order: str  # "<" or ">"
    at: int  # offset in the file

    def unpack(self, layout: str) -> tuple[int, ...]:
        """The numbers at the start of the body."""
        try:
            return struct.unpack_from(self.order + layout, self.body)
        except struct.error:
            raise BadCapture(f"block at octet {self.at}: {len(self.body)} octets are too few") from None

    def options(self, start: int) -> Iterator[tuple[int, bytes]]:
        """The options from an offset in the body on."""
        while start + 4 <= len(self.body):
            code, size = struct.unpack_from(f"{self.order}HH", self.body, start)
            if code == END:
                return
            value = self.body[start + 4 : start + 4 + size]
            if len(value) < size:
                raise BadCapture(f"block at octet {self.at}: option {code} ends beyond it")
            yield code, value
            start += 4 + size + -size % 4


def _blocks(octets: bytes) -> Iterator[_Block]:
    at, order = 0, "<"
    while at < len(octets):
        head = octets[at : at + 12]
        if len(head) < 12:
            raise BadCapture(f"block at octet {at}: {len(head)} octets are left")
        if head[:4] == SECTION.to_bytes(4, "big"):  # the same in both orders
            if head[8:] not in ORDERS:
                raise BadCapture(f"section at octet {at}: byte order {head[8:].hex(' ')}")
            order = ORDERS[head[8:]]
        kind, size = struct.unpack_from(f"{order}II", head)
        if size < 12 or size % 4:
            raise BadCapture(f"block at octet {at}: length {size}")
        if at + size > len(octets):
            raise BadCapture(f"block at octet {at}: {len(octets) - at} of {size} octets")
        if octets[at + 4 : at + 8] != octets[at + size - 4 : at + size]:
            raise BadCapture(f"block at octet {at}: its two lengths differ")
        yield _Block(kind, octets[at + 8 : at + size - 4], order, at)
        at += size


def _read_blocks(octets: bytes) -> Capture:
    frames: list[Frame] = []
    comments: dict[int, str] = {}
    interfaces: list[_Interface] = []  # of the current section
    words: dict[tuple[int, int], str] = {}  # (kind of block, option) -> text; several lines if given several times
    counts: dict[tuple[int, int], int] = {}  # (interface, option) -> frames
    far: FarTap | None = None
    snaplen = 0
    for block in _blocks(octets):
        if block.kind == SECTION:
            interfaces = []
            _take_words(words, block, 16)
        elif block.kind == INTERFACE:
            interfaces.append(_read_interface(block))
            snaplen = max(snaplen, interfaces[-1].snaplen)
            if len(interfaces) == 2 and (name := _far_name(block)) is not None:
                far = FarTap(name)
            else:
                _take_words(words, block, 8)
        elif block.kind == PACKET:
            frame, comment = _read_packet(block, interfaces, len(frames) + 1)
            frames.append(frame if far is None else frame._replace(far=block.unpack("I")[0] == 1))
            if comment:
                comments[frame.number] = comment
        elif block.kind == SIMPLE_PACKET:
            frames.append(_read_simple_packet(block, interfaces, len(frames) + 1))
        elif block.kind == STATISTICS:
            place = int(far is not None and block.unpack("I")[0] == 1)
            for code, value in block.options(12):
                if code in (ISB_RECEIVED, ISB_DROPPED):
                    counts[place, code] = counts.get((place, code), 0) + _number(value, block.order)
    if far is not None:
        far = replace(far, received=counts.get((1, ISB_RECEIVED)), dropped=counts.get((1, ISB_DROPPED)))
    return Capture(
        frames=tuple(frames),
        comments=comments,
        comment=words.get((SECTION, COMMENT), ""),
        hardware=words.get((SECTION, SHB_HARDWARE), ""),
        os=words.get((SECTION, SHB_OS), ""),
        application=words.get((SECTION, SHB_APPLICATION), ""),
        interface=words.get((INTERFACE, IF_NAME), ""),
        description=words.get((INTERFACE, IF_DESCRIPTION), ""),
        snaplen=snaplen,
        received=counts.get((0, ISB_RECEIVED)),
        dropped=counts.get((0, ISB_DROPPED)),
        far=far,
    )


def _far_name(block: _Block) -> str | None:
    """The name of an interface that is our far tap; None of any other."""
    words: dict[tuple[int, int], str] = {}
    _take_words(words, block, 8)
    return words.get((INTERFACE, IF_NAME), "") if words.get((INTERFACE, IF_DESCRIPTION)) == FAR_END else None


def _take_words(words: dict[tuple[int, int], str], block: _Block, start: int) -> None:
    texts = (COMMENT, SHB_HARDWARE, SHB_OS, SHB_APPLICATION) if block.kind == SECTION else (IF_NAME, IF_DESCRIPTION)
    for code, value in block.options(start):
        if code in texts:
            before = words.get((block.kind, code))
            text = value.decode(errors="replace")
            words[block.kind, code] = text if before is None else f"{before}\n{text}"


def _read_interface(block: _Block) -> _Interface:
    link_type, _, snaplen = block.unpack("HHI")
    if link_type != ETHERNET:
        raise BadCapture(f"interface at octet {block.at}: link type {link_type}, not Ethernet ({ETHERNET})")
    resolution, offset_s = MICROSECONDS, 0
    for code, value in block.options(8):
        if code == IF_RESOLUTION and value:
            resolution = value[0]
        elif code == IF_OFFSET:
            offset_s = int.from_bytes(value, "little" if block.order == "<" else "big", signed=True)
    exponent = resolution & 0x7F
    per_second = 1 << exponent if resolution & 0x80 else 10**exponent
    return _Interface(per_second, offset_s, snaplen or WHOLE_FRAMES)


def _read_packet(block: _Block, interfaces: list[_Interface], number: int) -> tuple[Frame, str]:
    place, high, low, captured, size = block.unpack("IIIII")
    interface = _interface_at(block, interfaces, place)
    octets = block.body[20 : 20 + captured]
    if len(octets) < captured:
        raise BadCapture(f"packet at octet {block.at}: {len(octets)} of {captured} octets")
    sent, comments = False, []
    after = 20 + captured + -captured % 4
    if len(block.body) == after + 12 and block.body.startswith(_ONLY_FLAGS[block.order], after):
        # As nearly all of our own are, which may be hundreds of thousands.
        sent = _number(block.body[after + 4 : after + 8], block.order) & 3 == OUTBOUND
        return Frame(number, interface.time_ns(high << 32 | low), sent, octets, size), ""
    for code, value in block.options(after):
        if code == COMMENT:
            comments.append(value.decode(errors="replace"))
        elif code == EPB_FLAGS:
            sent = _number(value, block.order) & 3 == OUTBOUND
    return Frame(number, interface.time_ns(high << 32 | low), sent, octets, size), "\n".join(comments)


def _read_simple_packet(block: _Block, interfaces: list[_Interface], number: int) -> Frame:
    """A packet of the first interface, without a time."""
    (size,) = block.unpack("I")
    captured = min(size, _interface_at(block, interfaces, 0).snaplen)
    return Frame(number, 0, False, block.body[4 : 4 + captured], size)


def _interface_at(block: _Block, interfaces: list[_Interface], place: int) -> _Interface:
    if place >= len(interfaces):
        raise BadCapture(f"packet at octet {block.at}: interface {place} of {len(interfaces)}")
    return interfaces[place]


def _number(value: bytes, order: str) -> int:
    return int.from_bytes(value, "little" if order == "<" else "big")


def _read_classic(octets: bytes) -> Capture:
    order, tick_ns = CLASSIC[octets[:4]]
    if len(octets) < 24:
        raise BadCapture(f"pcap header: {len(octets)} of 24 octets")
    snaplen, link_type = struct.unpack_from(f"{order}II", octets, 16)
    if link_type & 0xFFFF != ETHERNET:  # the upper bits tell of a frame check sequence
        raise BadCapture(f"link type {link_type & 0xFFFF}, not Ethernet ({ETHERNET})")
    frames: list[Frame] = []
    at = 24
    while at < len(octets):
        if at + 16 > len(octets):
            raise BadCapture(f"packet at octet {at}: {len(octets) - at} of 16 octets of its header")
        seconds, ticks, captured, size = struct.unpack_from(f"{order}IIII", octets, at)
        taken = octets[at + 16 : at + 16 + captured]
        if len(taken) < captured:
            raise BadCapture(f"packet at octet {at}: {len(taken)} of {captured} octets")
        frames.append(Frame(len(frames) + 1, seconds * 10**9 + ticks * tick_ns, False, taken, size))
        at += 16 + captured
    return Capture(tuple(frames), snaplen=snaplen or WHOLE_FRAMES)
