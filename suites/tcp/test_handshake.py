"""How a connection is opened: what the SYN ACK says, and what the subject makes of our options (RFC 9293 3.5, 3.1).

The subject is the kernel's TCP, the active end a raw peer, so every field of a segment can be chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import checksum_fault, control, covers, got, option

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Serve, Subject, Wire

MTU = 1500  # octets, of the lab's link
HEADERS = {"v4": 40, "v6": 60}  # octets of IP and TCP headers
DEFAULT_MSS = {"v4": 536, "v6": 1220}  # RFC 9293 3.7.1: where the SYN has no MSS option

EVERY_OPTION = option.mss(1400) + option.SACK_PERMITTED + option.timestamps(1) + option.NOP + option.window_scale(7)

ORDERS = {
    "mss": option.mss(600),
    "nop_mss": option.NOP + option.mss(600) + option.NOP * 3,
    "mss_end": option.mss(600) + option.END,
    "unknown_mss": option.other(253, b"abc") + option.mss(600),
    "mss_behind_all": option.SACK_PERMITTED + option.timestamps(1) + option.NOP + option.mss(600),
}

ILLEGAL = {
    "length_0": option.other(253, length=0),
    "length_1": option.other(253, length=1),
    "beyond_the_header": option.other(253, length=40),
    "mss_of_three": option.other(2, b"\x05", length=3),
}


def largest_segment(subject: Subject, peer: RawPeer, size: int = 8000) -> int:
    """Have the subject send; how many octets its largest segment carries."""
    subject.tell("accept")
    subject.tell(f"send-pattern {size} 7")
    subject.tell("close")
    peer.expect(got.FIN)
    return max(len(step.data) for step in peer.flow().pick(got.data()))


@covers("rfc9293:3.10.7.2/syn-ack-acknowledges-syn-exactly")
@pytest.mark.parametrize("iss", [0, 0xFFFFFFFF, 0x7FFFFFFF], ids=["zero", "wraps", "sign"])
def test_syn_is_acknowledged_exactly(serve: Serve, raw: Raw, iss: int) -> None:
    """The SYN ACK acknowledges the number behind our SYN, wherever our numbers begin, and nothing else comes."""
    peer = raw.peer(serve(), iss=iss)

    peer.send_syn()

    answer = peer.expect(got.SYN_ACK & got.segment(size=0))
    assert answer.ack == 1, "the SYN ACK acknowledges the SYN"
    peer.expect_silence()


@covers("rfc9293:MUST-14", "rfc9293:SHLD-5")
def test_syn_ack_tells_its_mss(serve: Serve, raw: Raw) -> None:
    """The SYN ACK has an MSS option: who may send more than the default is told how much."""
    answer = raw.peer(serve()).handshake()

    assert answer.segment.options.mss, "the SYN ACK has an MSS option"


@covers("rfc9293:MUST-67", "rfc6691:2/mss-ignores-options-in-its-value")
@pytest.mark.parametrize("options", [option.mss(1400), EVERY_OPTION], ids=["alone", "with_timestamps"])
def test_mss_fits_the_mtu(serve: Serve, raw: Raw, options: bytes) -> None:
    """The MSS is what the MTU leaves for data behind headers without options, whatever options are in use."""
    subject = serve()

    answer = raw.peer(subject).handshake(options)

    assert answer.segment.options.mss == MTU - HEADERS[subject.family]


@covers("rfc9293:MUST-16")
@pytest.mark.parametrize("timestamps", [False, True], ids=["plain", "timestamps"])
def test_no_segment_is_larger_than_our_mss(serve: Serve, raw: Raw, timestamps: bool) -> None:
    """Data comes in segments of the size that our MSS option allows, less the room that other options take."""
    subject = serve()
    peer = raw.connect(subject, option.mss(600), timestamps=timestamps)

    assert largest_segment(subject, peer) == 600 - (12 if timestamps else 0)


@covers("rfc9293:MUST-15")
def test_without_an_mss_option_the_default_holds(serve: Serve, raw: Raw) -> None:
    """To a peer that told no MSS no segment carries more than 536 octets over IPv4, or 1220 over IPv6."""
    subject = serve()
    peer = raw.connect(subject, b"")

    assert largest_segment(subject, peer) <= DEFAULT_MSS[subject.family]


@covers("rfc9293:MUST-4", "rfc9293:MUST-64", "rfc9293:MUST-6")
@pytest.mark.parametrize("options", ORDERS.values(), ids=ORDERS.keys())
def test_options_are_read_wherever_they_stand(serve: Serve, raw: Raw, options: bytes) -> None:
    """The MSS option counts in any place: behind no-operations, unaligned, behind options that nobody knows."""
    subject = serve()
    peer = raw.connect(subject, options)

    assert largest_segment(subject, peer) <= 600, "the MSS option was understood"


@covers("rfc9293:MUST-6", "rfc9293:MUST-5")
def test_unknown_options_are_passed_over_in_every_segment(serve: Serve, raw: Raw) -> None:
    """An option of unknown kind costs neither the handshake nor the data of the segment that has it."""
    unknown = option.other(253, b"what?") + option.NOP
    subject = serve()
    peer = raw.connect(subject, unknown + option.mss(1000))
    subject.tell("accept")

    peer.send("PSH ACK", b"with an option", options=unknown)
    peer.expect(got.acked(14))
    peer.send("FIN ACK", options=option.NOP * 4 + option.mss(50))

    assert bytes.fromhex(subject.tell("read 100")) == b"with an option"
    assert subject.tell("ending") == "EOF"


@covers("rfc9293:MUST-7")
@pytest.mark.parametrize("options", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_option_lengths_do_no_harm(serve: Serve, raw: Raw, options: bytes) -> None:
    """Whatever becomes of a segment whose options contradict themselves, the next one finds everything in order."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    raw.peer(subject).send("SYN", options=options)
    peer.send("PSH ACK", b"bad ", options=options)
    peer.send("PSH ACK", b"good")
    peer.send("PSH ACK", b"bad good", seq=1)  # again, in case that the bad one was dropped

    peer.expect(got.acked(8))
    assert subject.tell("read-exactly 8")["first"] == b"bad good".hex()
    raw.connect(subject)


@covers("rfc7323:2.2/scale-answers-scale", "rfc7323:3.2/timestamps-answer-timestamps")
def test_options_come_only_in_answer_to_the_same(serve: Serve, raw: Raw) -> None:
    """Window scale and timestamps stand in a SYN ACK if they stood in the SYN, and not otherwise."""
    subject = serve()

    answer = raw.peer(subject).handshake(option.mss(1400)).segment.options
    offered = raw.peer(subject).handshake(EVERY_OPTION).segment.options

    assert (answer.window_scale, answer.timestamps) == (None, None), "not offered, so not answered"
    with control():
        assert offered.window_scale is not None, "the control: the window scale is answered where it is offered"
        assert offered.timestamps is not None, "the control: timestamps are answered where they are offered"


@covers("rfc9293:MUST-65", "rfc2018:2/sack-permitted-only-on-syn", "rfc9293:MUST-68", "rfc9293:MUST-69")
def test_options_of_the_handshake_stay_in_the_handshake(serve: Serve, raw: Raw) -> None:
    """MSS, window scale and SACK-permitted stand in no segment without SYN, and every option list can be read."""
    subject = serve()
    peer = raw.connect(subject, EVERY_OPTION)

    largest_segment(subject, peer)

    syn, *others = (step.segment.options for step in peer.flow().pick(got.segment(without="RST")))
    with control():
        assert syn.mss, "the control: the SYN ACK has options"
    for options in (syn, *others):
        assert not options.malformed, "the options are well-formed"
    for options in others:
        assert (options.mss, options.window_scale, options.sack_permitted) == (None, None, False)


@covers("rfc9293:MUST-2")
def test_every_checksum_is_right(serve: Serve, raw: Raw, wire: Wire) -> None:
    """Handshake, data, FIN and RST each carry the checksum that they should."""
    subject = serve()
    peer = raw.connect(subject, option.mss(601))
    largest_segment(subject, peer)
    raw.peer(subject).send("ACK", ack=77)  # answered with RST

    got_frames = [frame for frame in wire.capture().frames if not frame.sent]

    with control():
        assert len(got_frames) > 8, "the control: there was something to look at"
    assert [checksum_fault(frame) for frame in got_frames] == [""] * len(got_frames)


@covers("rfc9293:MUST-3")
def test_syn_with_a_wrong_checksum_is_dropped(serve: Serve, raw: Raw) -> None:
    """A SYN whose checksum is wrong is not answered; the same one with the right checksum is."""
    peer = raw.peer(serve())

    peer.send("SYN", checksum=0x1234, seq=0)
    peer.expect_silence()

    peer.send_syn()
    peer.expect(got.SYN_ACK)


@covers("rfc9293:MUST-3")
@pytest.mark.parametrize("flags", ["PSH ACK", "FIN ACK", "RST"])
def test_segment_with_a_wrong_checksum_changes_nothing(serve: Serve, raw: Raw, flags: str) -> None:
    """Data, FIN and RST with a wrong checksum are as if they had never come."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send(flags, b"" if flags == "RST" else b"wrong", seq=1, checksum=0x1234)
    peer.expect_silence()

    peer.send("PSH ACK", b"right")
    peer.expect(got.acked(5))
    assert bytes.fromhex(subject.tell("read 100")) == b"right"


@covers("rfc9293:3.1/reserved-bits-sent-zero-ignored")
def test_reserved_bits_mean_nothing(serve: Serve, raw: Raw, wire: Wire) -> None:
    """Reserved bits that are set in our segments change nothing, and the subject's own are zero."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send("PSH ACK", b"odd", reserved=0b0110)

    answer = peer.expect(got.acked(3))
    header = 14 + (20 if subject.family == "v4" else 40)  # octets before the TCP header
    octet = wire.frame(answer.number).octets[header + 12]
    assert octet & 0b1110 == 0, "the reserved bits of the answer are zero"


@covers("rfc9293:3.1/bad-data-offset-discarded")
@pytest.mark.parametrize("offset", [0, 4, 15])
def test_impossible_data_offset_is_discarded(serve: Serve, raw: Raw, offset: int) -> None:
    """A header shorter than itself or longer than its segment delivers nothing, and the connection goes on."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send("PSH ACK", b"wrong", seq=1, offset=offset)
    peer.expect_silence()

    peer.send("PSH ACK", b"right")
    peer.expect(got.acked(5))
    assert bytes.fromhex(subject.tell("read 100")) == b"right"


@covers("rfc9293:3.10.7.3/data-on-syn-not-lost")
def test_data_on_a_syn_is_not_lost(serve: Serve, raw: Raw) -> None:
    """Octets that come with a SYN are acknowledged and kept, or left for us to send again; the stream has them once."""
    subject = serve()
    peer = raw.peer(subject)

    peer.send_syn(data=b"early")
    peer.expect(got.SYN_ACK)
    peer.send("PSH ACK", b"early", seq=1)
    peer.send("FIN PSH ACK", b" bird")

    subject.tell("accept")
    seen = subject.tell("drain")
    assert bytes.fromhex(seen["first"]) == b"early bird", "the stream has each octet once"


@covers("rfc9293:MUST-9", "rfc9293:SHLD-1", "rfc6528:3/isn-keyed-per-4-tuple")
def test_initial_numbers_of_others_tell_nothing(serve: Serve, raw: Raw) -> None:
    """Initial sequence numbers of eight connections from eight ports lie far from each other."""
    subject = serve(backlog=10)

    numbers = sorted(raw.peer(subject).handshake().segment.seq for _ in range(8))

    # Numbers that a clock alone decides lie no further apart than it goes in a second: 250,000 (RFC 9293 3.4.1), or
    # 16 million on Linux.
    assert numbers[-1] - numbers[0] > 1 << 26, f"they lie apart: {numbers}"


@covers("rfc9293:MUST-8")
def test_initial_number_of_the_same_pair_goes_up(serve: Serve, raw: Raw) -> None:
    """A second connection between the same ports begins behind the first one, because the clock has gone on."""
    subject = serve()
    first = raw.peer(subject)
    before = first.handshake().segment.seq
    first.send("RST ACK")

    after = raw.peer(subject, port=first.near.port, iss=99).handshake().segment.seq

    assert 0 < (after - before) % (1 << 32) < 1 << 31, f"{after} comes after {before}, modulo 2**32"


@covers("rfc9293:3.5/old-duplicate-syn-recovered")
def test_old_duplicate_syn_does_not_bar_the_new_one(serve: Serve, raw: Raw) -> None:
    """A SYN ACK to a SYN that we never sent is reset by us; the SYN that we mean is served (RFC 9293 figure 9)."""
    subject = serve()
    old = raw.peer(subject, iss=90)
    old.send_syn()
    old.expect(got.SYN_ACK)
    old.send("RST", seq=1)

    peer = raw.peer(subject, port=old.near.port, iss=2_000_000)
    peer.send_syn()
    peer.expect(got.SYN_ACK & got.segment(ack=1))
    peer.send("ACK")
    subject.tell("accept")
    peer.send("PSH ACK", b"new")

    peer.expect(got.acked(3))
    assert bytes.fromhex(subject.tell("read 100")) == b"new"


@covers("rfc9293:3.10.7.4/syn-ack-retransmitted-on-loss")
@pytest.mark.slow
def test_unacknowledged_syn_ack_comes_again(serve: Serve, raw: Raw) -> None:
    """A SYN ACK that nobody acknowledges is sent again, the same; it may still be answered then."""
    subject = serve()
    peer = raw.peer(subject)

    peer.send_syn()
    first, again = peer.expect(got.SYN_ACK), peer.expect(got.SYN_ACK)
    peer.send("ACK")

    assert (again.segment.seq, again.ack) == (first.segment.seq, 1), "the same SYN ACK"
    assert subject.tell("accept")["peer"][1] == peer.near.port


@covers("rfc9293:MUST-63")
def test_syn_from_no_host_is_ignored(serve: Serve, raw: Raw) -> None:
    """A SYN whose source is a broadcast or multicast address is not answered."""
    subject = serve()
    hosts = ("224.0.0.1", "255.255.255.255") if subject.family == "v4" else ("ff02::1",)

    peers = [raw.peer(subject, host=host) for host in hosts]
    for peer in peers:
        peer.send_syn()

    for peer in peers:
        peer.expect_silence()
    assert subject.sockets() == []
    raw.connect(subject)


@covers("rfc9293:MUST-57")
def test_syn_to_everybody_is_discarded(serve: Serve, raw: Raw) -> None:
    """A SYN to a broadcast or multicast address is neither answered nor refused, although somebody listens."""
    subject = serve()
    hosts = ("224.0.0.1", "255.255.255.255", "10.9.0.255") if subject.family == "v4" else ("ff02::1",)

    peers = [raw.peer(subject, to=subject.address._replace(host=host)) for host in hosts]
    for peer in peers:
        peer.send_syn()

    for peer in peers:
        peer.expect_silence()
    assert subject.sockets() == []
    raw.connect(subject)
