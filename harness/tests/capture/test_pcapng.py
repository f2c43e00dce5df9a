"""A capture file says what was seen, in octets that Wireshark reads and in values that come back the same."""

from __future__ import annotations

import shutil
import struct
import subprocess
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.pcapng import WHOLE_FRAMES, BadCapture, Capture, read, write
from harness.tests.wire.craft import half_close
from harness.wire.frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

CAPTURE = Capture(
    frames=(
        Frame(1, 1_700_000_000_123_456_789, True, b"\x02" * 14 + b"a", 15),
        Frame(2, 1_700_000_000_123_456_999, False, b"\x02" * 16, 60),
    ),
    comments={2: "got FIN"},
    comment="tcp/closing::half_close[v4]: fail",
    hardware="x86_64",
    os="Linux",
    application="sockspec",
    interface="probe0",
    description="the probe's end",
    snaplen=65535,
    received=2,
    dropped=0,
)

GOLDEN = bytes.fromhex(
    # section header: byte order, version 1.0, length unknown, comment, hardware, os, application
    "0a0d0d0a 6c000000 4d3c2b1a 0100 0000 ffffffffffffffff"
    "0100 2100 7463702f636c6f73696e673a3a68616c665f636c6f73655b76345d3a206661696c 000000"
    "0200 0600 7838365f3634 0000"
    "0300 0500 4c696e7578 000000"
    "0400 0800 736f636b73706563"
    "0000 0000 6c000000"
    # interface description: Ethernet, snaplen, name, description, nanoseconds
    "01000000 40000000 0100 0000 ffff0000"
    "0200 0600 70726f626530 0000"
    "0300 0f00 7468652070726f6265277320656e64 00"
    "0900 0100 09 000000"
    "0000 0000 40000000"
    # enhanced packet: interface 0, time, 15 of 15 octets, outbound
    "06000000 3c000000 00000000 fe9c9717 15cd853d 0f000000 0f000000"
    "0202020202020202020202020202 61 00"
    "0200 0400 02000000"
    "0000 0000 3c000000"
    # enhanced packet: 16 of 60 octets, comment, inbound
    "06000000 48000000 00000000 fe9c9717 e7cd853d 10000000 3c000000"
    "02020202020202020202020202020202"
    "0100 0700 676f742046494e 00"
    "0200 0400 01000000"
    "0000 0000 48000000"
    # interface statistics: time of the last frame, 2 received, 0 dropped
    "05000000 34000000 00000000 fe9c9717 e7cd853d"
    "0400 0800 0200000000000000"
    "0500 0800 0000000000000000"
    "0000 0000 34000000"
)


def test_a_capture_is_written_octet_by_octet_as_the_format_says() -> None:
    assert write(CAPTURE).hex(" ", -4) == GOLDEN.hex(" ", -4)


def test_a_capture_comes_back_as_it_was() -> None:
    assert read(write(CAPTURE)) == CAPTURE
    assert read(write(Capture(frames=()))) == Capture(frames=())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
counts = st.none() | st.integers(0, (1 << 64) - 1)
times = st.integers(0, (1 << 63) - 1)


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    drawn = draw(st.lists(st.tuples(times, st.booleans(), st.binary(max_size=70), st.integers(0, 1500)), max_size=8))
    frames = tuple(
        Frame(number, time_ns, sent, octets, len(octets) + cut)
        for number, (time_ns, sent, octets, cut) in enumerate(drawn, start=1)
    )
    comments = {each.number: draw(texts.filter(bool)) for each in frames if draw(st.booleans())}
    return Capture(
        frames=frames,
        comments=comments,
        comment=draw(texts),
        hardware=draw(texts),
        os=draw(texts),
        application=draw(texts),
        interface=draw(texts),
        description=draw(texts),
        snaplen=draw(st.integers(1, (1 << 32) - 1)),
        received=draw(counts),
        dropped=draw(counts),
    )


@given(captures())
def test_any_capture_comes_back_as_it_was(capture: Capture) -> None:
    octets = write(capture)

    assert len(octets) % 4 == 0
    assert read(octets) == capture


@given(st.integers(0, len(GOLDEN) - 1))
def test_a_file_cut_anywhere_is_never_taken_for_a_whole_one(kept: int) -> None:
    try:
        capture = read(GOLDEN[:kept])
    except BadCapture:
        return
    # Between two blocks nothing tells that more should come, but what is there is right.
    assert capture.frames == CAPTURE.frames[: len(capture.frames)]


@given(st.lists(st.tuples(st.integers(0, len(GOLDEN) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_bent_octets_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(GOLDEN)
    for place, value in changes:
        octets[place] = value
    with suppress(BadCapture):
        assert isinstance(read(bytes(octets)), Capture)


def test_a_frame_must_stand_where_its_number_says() -> None:
    with pytest.raises(ValueError, match="frame #2 stands at place 1: Wireshark would number it differently"):
        write(Capture(frames=CAPTURE.frames[1:]))


def test_a_comment_must_belong_to_a_frame() -> None:
    with pytest.raises(ValueError, match=r"comments on frames that are not in the capture: \[9\]"):
        write(replace(CAPTURE, comments={9: "got FIN"}))


def test_a_text_too_long_for_an_option_is_cut_between_characters() -> None:
    comment = read(write(replace(CAPTURE, comment="é" * 40000))).comment

    assert comment == "é" * 32767


def test_a_capture_prints_on_one_line() -> None:
    assert str(CAPTURE) == "capture of 2 frames at probe0, 0 dropped"
    assert str(Capture(frames=())) == "capture of 0 frames at an unnamed tap"


# --- other writers


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def other_writer(order: str, *, resolution: bytes = b"", offset_s: int = 0) -> bytes:
    """What tcpdump or dumpcap on another machine writes: two interfaces, microseconds, no direction, strange blocks."""

    def option(code: int, value: bytes) -> bytes:
        return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)

    section = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
    interface = struct.pack(f"{order}HHI", 1, 0, 0)
    if resolution:
        interface += option(9, resolution) + option(14, struct.pack(f"{order}q", offset_s)) + bytes(4)
    packet = struct.pack(f"{order}IIIII", 1, 0, 3_000_001, 5, 5) + b"12345\x00\x00\x00"
    comments = option(1, b"one") + option(1, b"two") + bytes(4)
    return b"".join(
        [
            block(order, 0x0A0D0D0A, section),
            block(order, 1, interface),
            block(order, 1, interface),
            block(order, 4, bytes(8)),  # name resolution
            block(order, 0x80000001, b"own"[:0]),  # somebody's own
            block(order, 6, packet + comments),
            block(order, 3, struct.pack(f"{order}I", 3) + b"abc\x00"),
        ]
    )


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
def test_files_of_other_writers_are_read(order: str) -> None:
    capture = read(other_writer(order))

    assert capture.frames == (Frame(1, 3_000_001_000, False, b"12345", 5), Frame(2, 0, False, b"abc", 3))
    assert capture.comments == {1: "one\ntwo"}
    assert (capture.snaplen, capture.received, capture.dropped) == (WHOLE_FRAMES, None, None)


@pytest.mark.parametrize(
    ("resolution", "offset_s", "time_ns"),
    [
        (6, 0, 3_000_001_000),
        (9, 0, 3_000_001),
        (3, 0, 3_000_001_000_000),
        (0x80 | 20, 0, 3_000_001 * 10**9 // 2**20),
        (6, -1, 2_000_001_000),
    ],
    ids=["microseconds", "nanoseconds", "milliseconds", "2**-20 s", "offset of -1 s"],
)
def test_times_come_in_any_resolution(resolution: int, offset_s: int, time_ns: int) -> None:
    capture = read(other_writer("<", resolution=bytes([resolution]), offset_s=offset_s))

    assert capture.frames[0].time_ns == time_ns


def classic(magic: str, order: str, *, link_type: int = 1) -> bytes:
    head = bytes.fromhex(magic) + struct.pack(f"{order}HHiIII", 2, 4, 0, 0, 65535, link_type)
    return head + struct.pack(f"{order}IIII", 3, 1, 5, 60) + b"12345" + struct.pack(f"{order}IIII", 4, 0, 0, 0)


@pytest.mark.parametrize(
    ("magic", "order", "time_ns"),
    [
        ("a1b2c3d4", ">", 3_000_001_000),
        ("d4c3b2a1", "<", 3_000_001_000),
        ("a1b23c4d", ">", 3_000_000_001),
        ("4d3cb2a1", "<", 3_000_000_001),
    ],
)
def test_classic_files_are_read_in_both_orders_and_resolutions(magic: str, order: str, time_ns: int) -> None:
    frames = (Frame(1, time_ns, False, b"12345", 60), Frame(2, 4_000_000_000, False, b"", 0))

    assert read(classic(magic, order)) == Capture(frames, snaplen=65535)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "neither pcapng nor pcap: it begins with nothing"),
        (b"\x7fELF", "neither pcapng nor pcap: it begins with 7f 45 4c 46"),
        (GOLDEN[:-1], "block at octet 304: 51 of 52 octets"),
        (GOLDEN[:-4] + bytes(4), "block at octet 304: its two lengths differ"),
        (GOLDEN + bytes(8), "block at octet 356: 8 octets are left"),
        (GOLDEN + bytes(12), "block at octet 356: length 0"),
        (GOLDEN[:8] + bytes(4) + GOLDEN[12:], "section at octet 0: byte order 00 00 00 00"),
        (GOLDEN[:108] + GOLDEN[172:], "packet at octet 108: interface 0 of 0"),
        (GOLDEN[:116] + b"\x71" + GOLDEN[117:], "interface at octet 108: link type 113, not Ethernet (1)"),
        (GOLDEN[:192] + b"\xff" + GOLDEN[193:], "packet at octet 172: 28 of 255 octets"),
        (GOLDEN[:218] + b"\xff" + GOLDEN[219:], "block at octet 172: option 2 ends beyond it"),
        (GOLDEN + block("<", 6, b"1234"), "block at octet 356: 4 octets are too few"),
        (classic("a1b2c3d4", ">")[:20], "pcap header: 20 of 24 octets"),
        (classic("a1b2c3d4", ">")[:44], "packet at octet 24: 4 of 5 octets"),
        (classic("a1b2c3d4", ">")[:50], "packet at octet 45: 5 of 16 octets of its header"),
        (classic("a1b2c3d4", ">", link_type=113), "link type 113, not Ethernet (1)"),
    ],
)
def test_a_refusal_says_where_and_what(octets: bytes, message: str) -> None:
    with pytest.raises(BadCapture) as refused:
        read(octets)

    assert str(refused.value).startswith(message)


# --- Wireshark


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    frames = tuple(half_close().frames)
    capture = Capture(frames, {9: "got FIN", 6: "sent FIN, too early"}, comment="a test: fail", received=10, dropped=0)
    path = tmp_path / "wire.pcapng"
    path.write_bytes(write(capture))
    fields = ["frame.number", "frame.time_epoch", "frame.packet_flags_direction", "tcp.flags.fin", "frame.comment"]

    told = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-E", "separator=|", *(f"-e{name}" for name in fields)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()

    rows = [line.split("|") for line in told]
    assert [(int(row[0]), row[1], int(row[2], 0)) for row in rows] == [
        (each.number, f"{each.time_ns // 10**9}.{each.time_ns % 10**9:09}", 2 if each.sent else 1) for each in frames
    ]
    assert {int(row[0]): row[4] for row in rows if row[4]} == capture.comments
    assert [row[0] for row in rows if row[3] in ("1", "True")] == ["6", "9"]
