"""The raw peer: it sends what it is told, hears what comes, and nobody answers in its stead."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harness.lab.ends import RAW
from harness.subject.inventory import told_server
from harness.subject.process import Subject, start
from harness.suite import got, option, sent
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.capture.recording import Wire
    from harness.lab.handle import Lab
    from harness.probe.raw import Raw
    from harness.wire.segment import Endpoint


@pytest.fixture
def told(lab: Lab, wire: Wire, family: str) -> Iterator[Subject]:
    """A server that does what it is told, with the wire recorded."""
    subject = start(lab, told_server(), family, {})
    yield subject
    subject.close()


def test_a_handshake_and_an_exchange(told: Subject, raw: Raw, wire: Wire, family: str) -> None:
    """The whole connection is what the test says, and no kernel of ours adds a RST."""
    peer = raw.connect(told)
    told.tell("accept")
    peer.send("PSH ACK", b"hello")
    peer.expect(got.acked(5))

    assert peer.near.host == RAW.address(family)
    assert bytes.fromhex(told.tell("read 100")) == b"hello"
    wire.flow(peer).expect_only(sent.SYN, got.SYN_ACK, sent.bare_ack(), sent.data(b"hello"), got.bare_ack())
    assert (peer.snd_nxt, peer.rcv_nxt) == (6, 1)


def test_what_arrives_is_acknowledged_while_the_test_waits(told: Subject, raw: Raw) -> None:
    """Data and FIN, each once."""
    peer = raw.connect(told)
    told.tell("accept")
    told.tell("send 68656c6c6f")
    told.tell("close")

    peer.expect(got.FIN)

    assert peer.rcv_nxt == 7
    peer.flow().expect(got.FIN, sent.acked(6))


def test_acknowledging_can_be_switched_off(told: Subject, raw: Raw) -> None:
    """Then no other segment acknowledges either, until we say so."""
    peer = raw.connect(told)
    peer.acknowledges = False
    told.tell("accept")
    told.tell("send 68656c6c6f")

    peer.expect(got.data(b"hello"))
    peer.send("PSH ACK", b"unmoved")
    peer.expect(got.acked(7))
    peer.flow().expect_no(sent.acked(1))
    peer.acknowledge()

    peer.flow().expect(sent.acked(5))


def test_numbers_that_are_said_move_nothing(told: Subject, raw: Raw) -> None:
    """A lie is told once."""
    peer = raw.connect(told)

    peer.send("PSH ACK", b"far away", seq=1000, ack=1)

    assert (peer.snd_nxt, peer.rcv_nxt) == (1, 1)
    peer.expect(got.bare_ack() & got.segment(ack=1))


def test_timestamps_are_on_every_segment(told: Subject, raw: Raw) -> None:
    """And echo what came last."""
    peer = raw.connect(told, timestamps=True)
    peer.send("PSH ACK", b"hello")

    answer = peer.expect(got.acked(5))

    assert answer.segment.options.timestamps is not None
    peer.flow().expect_no(sent.segment(timestamps=False))


def test_other_options_take_their_place(told: Subject, raw: Raw) -> None:
    """What is said stands."""
    peer = raw.connect(told, option.mss(99))

    peer.flow().expect(sent.SYN & sent.segment(mss=99, timestamps=False), got.SYN_ACK)


def test_an_expectation_looks_behind_the_last_one(told: Subject, raw: Raw) -> None:
    """The SYN ACK counts once; what does not come is told with the flow."""
    peer = raw.connect(told)

    with pytest.raises(Mismatch, match=r"^no got SYN ACK"):
        peer.expect(got.SYN_ACK, seconds=0.05)


def test_silence_is_broken_by_whatever_comes(told: Subject, raw: Raw) -> None:
    """A challenge that nobody expected."""
    peer = raw.connect(told)
    peer.expect_silence()
    peer.send("PSH ACK", b"far away", seq=1000)

    with pytest.raises(Mismatch):
        peer.expect_silence()


def test_an_acknowledgment_needs_its_flag(told: Subject, raw: Raw) -> None:
    """A slip of the pen is told."""
    with pytest.raises(ValueError, match=r"^an acknowledgment number without ACK: RST$"):
        raw.peer(told).send("RST", ack=7)


def test_the_header_of_ip_is_as_it_was_said(told: Subject, raw: Raw, wire: Wire, family: str) -> None:
    """TTL and traffic class, of which ECN is a part, on all that is sent from then on."""
    peer = raw.peer(told)
    peer.ttl, peer.traffic_class, peer.ecn = 9, 0xB8, 3
    peer.handshake()

    step = peer.flow().expect(sent.SYN)

    packet = wire.tap.frames[step.number - 1].octets[14:]
    assert (packet[8], packet[1]) == (9, 0xBB) if family == "v4" else (packet[7], packet[0:2]) == (9, b"\x6b\xb0")


def test_fragments_are_put_together_by_the_subject(told: Subject, raw: Raw) -> None:
    """The last one first; with one missing, nothing arrives."""
    peer = raw.connect(told)
    told.tell("accept")

    peer.send("PSH ACK", b"never whole", fragments=[slice(24, None)], seq=1)
    peer.expect_silence()
    peer.send("PSH ACK", b"in two pieces", fragments=[slice(24, None), slice(0, 24)])

    peer.expect(got.acked(13))
    assert bytes.fromhex(told.tell("read 100")) == b"in two pieces"


def test_a_datagram_may_come_in_fragments(told: Subject, raw: Raw) -> None:
    """As a segment may."""
    bound = told.tell("datagrams 0")["address"]
    end = raw.datagrams(told, to=told.address._replace(port=bound[1]))

    end.send(bytes(range(40)), fragments=[slice(0, 16), slice(16, 32), slice(32, None)])

    assert told.tell("receive-from 100")["first"] == bytes(range(16)).hex()


def connecting(lab: Lab, family: str, place: Endpoint) -> int:
    """A socket of the far end that has begun to connect."""
    with lab.socket("far", socket.AF_INET if family == "v4" else socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        client.connect_ex(place)
        return client.detach()


def test_who_is_called_answers_and_is_one_end_of_it(lab: Lab, told: Subject, raw: Raw, family: str) -> None:
    """The passive end: the handshake, an exchange, and one peer for each caller."""
    listener = raw.listen(told)
    callers = [socket.socket(fileno=connecting(lab, family, listener.address)) for _ in range(2)]
    peers = [listener.accept(option.mss(99)) for _ in callers]

    for number, peer in enumerate(peers):
        peer.send("PSH ACK", f"peer {number}".encode())
        peer.expect(got.acked(6))

    assert {caller.recv(100) for caller in callers} == {b"peer 0", b"peer 1"}
    assert {peer.near for peer in peers} == {listener.address}
    peers[0].flow().expect(got.SYN, sent.SYN_ACK & sent.segment(mss=99), got.bare_ack(), sent.data())
    for caller in callers:
        caller.close()


def test_a_call_may_be_heard_and_answered_with_a_lie(lab: Lab, told: Subject, raw: Raw, family: str) -> None:
    """An ACK of what was never sent draws a RST (RFC 9293 3.10.7.3)."""
    listener = raw.listen(told, port=7)
    with socket.socket(fileno=connecting(lab, family, listener.address)):
        peer = listener.hear()
        peer.expect(got.SYN)

        peer.send("SYN ACK", ack=77)

        peer.expect(got.RST & got.segment(seq=77))


def test_nobody_calls(told: Subject, raw: Raw) -> None:
    """That is told with the place."""
    listener = raw.listen(told, port=7)

    with pytest.raises(Mismatch, match=r"^expected: a SYN to .*7\nactual:   none came within 0.05 s"):
        listener.hear(seconds=0.05)


def test_a_datagram_is_delivered_as_it_was_said(told: Subject, raw: Raw, wire: Wire) -> None:
    """To a port of its own choice, and the answer finds no kernel either."""
    bound = told.tell("datagrams 0")["address"]
    end = raw.datagrams(told, to=told.address._replace(port=bound[1]), port=7)

    end.send(b"hello")

    assert told.tell("receive-from 100")["source"] == [RAW.address(told.family), 7]
    told.tell(f"send-to {end.near.host} 7 {b'back'.hex()}")
    wire.wait_for(end, got.datagram(b"back"))
    wire.flow(end).expect_only(sent.datagram(b"hello"), got.datagram(b"back"))
