"""TCP Fast Open from the server's side: who is given a cookie, and what one is worth (RFC 7413).

The subject is the kernel's TCP, which must be told to serve so (tcp_fastopen, TCP_FASTOPEN); our end is a raw peer that
puts octets on its SYN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import control, covers, got, option

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Serve, Step, Subject

FAST_OPEN = 34  # the kind of the option
MSS = option.mss(1000)
ASKING = MSS + option.other(FAST_OPEN) + option.NOP * 2
PENDING = 2  # Fast Open connections that may wait for the end of their handshake


@control()
def serving(serve: Serve, *, pending: int = 5) -> Subject:
    """A listener that serves Fast Open, with so many connections at most whose handshake has not ended."""
    subject = serve(slow_timers=True)
    subject.sysctl("net/ipv4/tcp_fastopen", "3")
    subject.tell(f"option IPPROTO_TCP TCP_FASTOPEN {pending} #0")
    return subject


def cookie_in(answer: Step) -> bytes | None:
    """The cookie that a SYN ACK gives; None where it has none."""
    octets, at = answer.segment.option_octets, 0
    while at < len(octets) and octets[at]:
        size = 1 if octets[at] == 1 else octets[at + 1]
        if octets[at] == FAST_OPEN:
            return octets[at + 2 : at + size]
        at += size
    return None


@control()
def given_cookie(subject: Subject, raw: Raw) -> bytes:
    """A cookie that the subject has given to our host."""
    peer = raw.peer(subject)
    answer = peer.handshake(ASKING)
    peer.send("RST ACK")
    subject.tell("accept")
    return cookie_in(answer) or b""


def opening(subject: Subject, raw: Raw, cookie: bytes, data: bytes) -> tuple[RawPeer, Step]:
    """A SYN with this cookie and data, and the SYN ACK that answers."""
    peer = raw.peer(subject)
    padding = option.NOP * (-(len(cookie) + 2) % 4)
    peer.send_syn(MSS + option.other(FAST_OPEN, cookie) + padding, data=data)
    return peer, peer.expect(got.SYN_ACK)


@covers("rfc7413:2.1/tfo-off-unless-requested")
def test_no_cookie_is_given_unasked(serve: Serve, raw: Raw) -> None:
    """A program that did not ask for Fast Open is not served so, though the host could: no cookie, no early octets."""
    subject = serve(slow_timers=True)
    subject.sysctl("net/ipv4/tcp_fastopen", "3")

    answer = raw.peer(subject).handshake(ASKING)
    _, early = opening(subject, raw, bytes(8), b"early")

    assert cookie_in(answer) is None, "the SYN ACK gives no cookie"
    assert early.ack == 1, "the octets of the SYN are not acknowledged"


@covers("rfc7413:4.1.1/cookie-granted-on-request")
def test_cookie_is_given_to_who_asks(serve: Serve, raw: Raw) -> None:
    """An empty option draws a cookie of 4 to 16 octets, an even number, and the same host is given the same."""
    subject = serving(serve)

    cookies = [cookie_in(raw.peer(subject).handshake(ASKING)) for _ in range(2)]
    plain = cookie_in(raw.peer(subject).handshake(MSS))

    first, again = cookies
    assert first is not None, "who asks is given one"
    assert len(first) in range(4, 17, 2), f"a cookie has 4 to 16 octets, an even number: {first.hex()}"
    assert again == first, "the host is known by its address alone"
    assert plain is None, "who does not ask is given none"


@covers("rfc7413:4.2.2/valid-cookie-accepts-syn-data", "linux:opt/tcp-fastopen-enables-tfo-listener")
def test_octets_beside_a_cookie_are_read_before_the_handshake_ends(serve: Serve, raw: Raw) -> None:
    """With a valid cookie the SYN ACK acknowledges the octets too, the program reads them, and answers at once."""
    subject = serving(serve)
    cookie = given_cookie(subject, raw)

    peer, answer = opening(subject, raw, cookie, b"early")

    assert answer.ack == 6, "the SYN ACK acknowledges them"
    subject.tell("accept")
    assert bytes.fromhex(subject.tell("read 100")) == b"early"
    subject.tell("send 6269726421")
    peer.expect(got.data(b"bird!"))  # before our ACK of the SYN ACK


@covers("rfc7413:4.2.2/invalid-cookie-falls-back")
@pytest.mark.parametrize("size", [4, 8, 16])
def test_octets_beside_a_wrong_cookie_wait_for_the_handshake(serve: Serve, raw: Raw, size: int) -> None:
    """With a cookie that was never given the SYN alone is acknowledged, and the octets count when they come again."""
    subject = serving(serve)

    peer, answer = opening(subject, raw, bytes(size), b"early")
    peer.send("ACK", seq=1)
    peer.send("PSH ACK", b"early", seq=1)

    assert answer.ack == 1, "the SYN alone is acknowledged"
    peer.expect(got.segment(ack=6))
    subject.tell("accept")
    assert bytes.fromhex(subject.tell("read 100")) == b"early"


@covers("rfc7413:4.2.2/pending-tfo-requests-limited")
def test_no_more_than_so_many_handshakes_are_open(serve: Serve, raw: Raw) -> None:
    """Of SYNs with cookie and octets whose senders fall silent so many are believed, the others wait like any SYN."""
    subject = serving(serve, pending=PENDING)
    cookie = given_cookie(subject, raw)

    answers = [opening(subject, raw, cookie, b"early")[1].ack for _ in range(PENDING + 3)]

    with control():
        assert answers[0] == 6, "the control: the cookie is worth something"
    assert answers.count(6) <= PENDING, f"{answers.count(6)} of {len(answers)} were believed"
    assert set(answers) == {1, 6}, "the others are answered as any SYN"
