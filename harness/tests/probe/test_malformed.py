"""What is drawn from a seed: the fault is there and no other is needed, and the same seed draws the same."""

from __future__ import annotations

import random

import pytest

from harness.probe import craft, malformed
from harness.probe.raw_datagrams import RawDatagrams
from harness.probe.raw_peer import RawPeer
from harness.tests.wire.craft import FAR, FAR6, NEAR, NEAR6, frame
from harness.wire.checksum import checksum_fault
from harness.wire.decode import decode
from harness.wire.segment import SYN, Datagram, Malformed, Packet, Segment

SEEDS = range(12)


def peer(family: str) -> RawPeer:
    near, far = (NEAR, FAR) if family == "v4" else (NEAR6, FAR6)
    made = RawPeer(lambda _: None, None, near, far, iss=1000)  # type: ignore[arg-type] # it hears nothing here
    made.snd_nxt, made.irs, made.rcv_nxt = 1, 5000, 1
    return made


def end(family: str) -> RawDatagrams:
    near, far = (NEAR, FAR) if family == "v4" else (NEAR6, FAR6)
    return RawDatagrams(lambda _: None, near, far)


def read(octets: bytes) -> tuple[Packet, str]:
    """What our decoder makes of a packet, and of its checksums."""
    got = frame(craft.frame("02:00:00:00:00:02", "02:00:00:00:00:01", octets))
    (packet,) = decode([got])
    return packet, checksum_fault(got)


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("fault", malformed.HEADER_FAULTS)
def test_a_header_has_the_fault_and_its_ends(fault: str, family: str) -> None:
    for seed in SEEDS:
        packet, checksums = read(malformed.segment(fault, peer(family), seed))
        if fault == malformed.CHECKSUM:
            assert isinstance(packet, Segment | Malformed), "fuzz() may draw more options than there is room for"
            assert checksums == "TCP checksum is wrong"
        else:
            assert isinstance(packet, Malformed)
        if fault != malformed.CUT:
            assert (packet.source, packet.destination) == (peer(family).near, peer(family).far)


@pytest.mark.parametrize("fault", malformed.OPTION_FAULTS)
def test_options_break_off_and_all_else_is_right(fault: str) -> None:
    for seed in SEEDS:
        packet, checksums = read(malformed.segment(fault, peer("v4"), seed))
        assert isinstance(packet, Segment)
        assert (bool(packet.options.malformed), bool(packet.data), checksums) == (True, True, "")


def test_in_place_is_where_the_next_segment_would_be() -> None:
    """With any flags but SYN; every other one carries data as any would."""
    for seed in SEEDS:
        packet, _ = read(malformed.segment("option of length 0", peer("v6"), seed, in_place=True))
        assert isinstance(packet, Segment)
        assert (packet.seq, packet.ack, packet.flags & SYN) == (1001, 5001, 0)
        assert seed % 2 == 0 or str(packet.flags) == "PSH ACK"


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("fault", malformed.DATAGRAM_FAULTS)
def test_a_datagram_has_the_fault(fault: str, family: str) -> None:
    for seed in SEEDS:
        packet, checksums = read(malformed.datagram(fault, end(family), seed))
        if fault == malformed.CHECKSUM:
            assert isinstance(packet, Datagram)
            assert checksums == "UDP checksum is wrong"
        else:
            assert isinstance(packet, Malformed)


def test_the_same_seed_draws_the_same_and_leaves_the_dice_alone() -> None:
    before = random.getstate()

    drawn = [malformed.segment(malformed.CHECKSUM, peer("v4"), seed) for seed in (*SEEDS, *SEEDS)]

    assert drawn[: len(SEEDS)] == drawn[len(SEEDS) :]
    assert len(set(drawn)) == len(SEEDS)
    assert random.getstate() == before
