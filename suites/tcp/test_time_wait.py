"""Who remembers a connection when it is over, how long, and what disturbs him (RFC 9293 3.6, 3.10.7.4; RFC 6191; 1337).

The subject is the kernel's TCP. Its states are those that the kernel tells of its own sockets (sock_diag(7)); what they
mean is seen on the wire, where a raw peer says what a kernel would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, State, control, covers, got, option, sent

if TYPE_CHECKING:
    from harness.suite import Client, Link, Probe, Raw, RawPeer, Serve, Subject, Wire

MSL = 120  # seconds (RFC 9293 3.4.2)


def states(subject: Subject, side: str = "far") -> list[State]:
    """In which states the connections of one end are: "far" is the subject's, "near" ours."""
    return [State(entry["state"]) for entry in subject.sockets(side=side)]


@control()
def connected(serve: Serve, probe: Probe) -> tuple[Subject, Client]:
    """A subject, and a client that it has accepted."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    return subject, client


@control()
def in_time_wait(subject: Subject, raw: Raw, *, timestamps: bool = False) -> RawPeer:
    """A connection that the subject closed first, and that is over."""
    peer = raw.connect(subject, timestamps=timestamps)
    subject.tell("accept")
    subject.tell("close")
    peer.expect(got.FIN)
    peer.send("FIN ACK")
    peer.expect(got.segment(ack=peer.snd_nxt))
    assert states(subject) == [State.TIME_WAIT], "the subject is in TIME-WAIT"
    return peer


@covers("rfc9293:MUST-13")
def test_who_closes_first_holds_time_wait(serve: Serve, probe: Probe, wire: Wire) -> None:
    """The end whose FIN goes first remembers the connection; the other one forgets it at once."""
    subject, client = connected(serve, probe)

    subject.tell("close")
    client.expect_end(Ending.EOF)
    client.close()

    wire.wait_for(client, got.segment(ack=2))
    wire.pass_fence()  # the client has seen that ACK
    assert states(subject) == [State.TIME_WAIT], "the subject, which closed first, remembers"
    assert states(subject, "near") == [], "and the client does not"


@covers("rfc9293:3.4.2/msl-is-two-minutes")
def test_time_wait_lasts_four_minutes(serve: Serve, raw: Raw) -> None:
    """What remembers a connection does so for two maximum segment lifetimes of two minutes, as its timer tells."""
    subject = serve()

    in_time_wait(subject, raw)

    left = subject.sockets(State.TIME_WAIT)[0]["timer_ms"] / 1000
    assert left > 2 * MSL - 10, f"TIME-WAIT lasts {2 * MSL} s, not {left:.0f} s"


@covers("rfc9293:3.10.7.4/last-ack-deletes-connection")
def test_who_closes_last_forgets_at_once(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A subject that closes behind its client is done with the last ACK: TIME-WAIT is the client's."""
    subject, client = connected(serve, probe)

    client.half_close()
    assert subject.tell("ending") == "EOF"
    wire.wait_for(client, got.segment(ack=2))  # else the ACK of our FIN, delayed, may pass its FIN on another processor
    subject.tell("close")
    client.expect_end(Ending.EOF)
    client.close()

    wire.wait_for(client, sent.segment(ack=2))
    wire.flow(client).expect_no(got.RST)
    assert states(subject) == [], "the subject, which closed last, has forgotten"
    assert states(subject, "near") == [State.TIME_WAIT], "and the client has not"


@covers("rfc9293:MUST-13", "rfc9293:3.6/simultaneous-close-works")
def test_both_who_close_at_once_hold_time_wait(serve: Serve, probe: Probe, wire: Wire, link: Link) -> None:
    """When the FINs cross neither end was second, so both remember."""
    subject, client = connected(serve, probe)

    with link.hold(got.FIN) as fault:
        subject.tell("close")
        fault.wait()
        client.half_close()
        wire.wait_for(client, sent.FIN)
    client.expect_end(Ending.EOF)
    client.close()

    wire.wait_for(client, got.segment(ack=2))
    wire.wait_for(client, sent.segment(ack=2))
    wire.pass_fence()  # both ends have seen the other's ACK
    assert states(subject) == [State.TIME_WAIT], "the subject remembers"
    assert states(subject, "near") == [State.TIME_WAIT], "and so does the client"


@covers("rfc9293:3.10.5/abort-deletes-connection")
def test_abort_leaves_nothing_behind(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A connection that is aborted is over for both ends at once."""
    subject, client = connected(serve, probe)

    subject.tell("reset")
    wire.wait_for(client, got.RST)
    wire.flow(client)

    assert (states(subject), states(subject, "near")) == ([], []), "neither the subject nor the client has it any more"


@covers("rfc9293:3.10.7.4/retransmitted-fin-re-acked-in-time-wait")
def test_fin_that_comes_again_is_acknowledged_again(serve: Serve, raw: Raw) -> None:
    """In TIME-WAIT a FIN whose acknowledgment got lost is acknowledged as the first time."""
    subject = serve()
    peer = in_time_wait(subject, raw)

    peer.send("FIN ACK", seq=1)

    peer.expect(got.bare_ack() & got.segment(seq=2, ack=2))
    assert states(subject) == [State.TIME_WAIT]


@covers("rfc1337:3/rst-must-not-kill-time-wait")
def test_reset_does_not_end_time_wait_where_that_is_wanted(serve: Serve, raw: Raw) -> None:
    """With tcp_rfc1337 a RST in TIME-WAIT is ignored, and a FIN that comes again is still acknowledged."""
    subject = serve()
    subject.sysctl("net/ipv4/tcp_rfc1337", "1")
    peer = in_time_wait(subject, raw)

    peer.send("RST")
    peer.expect_silence()
    peer.send("FIN ACK", seq=1)

    peer.expect(got.bare_ack() & got.segment(seq=2, ack=2))


@covers("rfc6191:2/time-wait-syn-with-newer-ts", "rfc9293:MAY-2", "rfc9293:SHLD-4")
@pytest.mark.parametrize("timestamps", [False, True], ids=["higher_number", "newer_timestamp"])
def test_new_connection_takes_the_place_of_time_wait(serve: Serve, raw: Raw, timestamps: bool) -> None:
    """A SYN from the same port that is plainly new is served at once, by its number or by its timestamp."""
    subject = serve()
    old = in_time_wait(subject, raw, timestamps=timestamps)

    new = raw.peer(subject, port=old.near.port, iss=old.iss - 1000 if timestamps else old.iss + 1000)
    options = option.mss(1000) + (option.timestamps(1_000_000) + option.NOP * 2 if timestamps else b"")
    new.send_syn(options)

    answer = new.expect(got.SYN_ACK)
    assert answer.ack == 1


@covers("rfc6191:2/time-wait-syn-otherwise-dropped")
def test_old_syn_does_not_take_the_place_of_time_wait(serve: Serve, raw: Raw) -> None:
    """A SYN that may be an old duplicate draws no SYN ACK, and TIME-WAIT stays."""
    subject = serve()
    old = in_time_wait(subject, raw)

    again = raw.peer(subject, port=old.near.port, iss=old.iss - 1000)
    again.send_syn()

    again.flow().expect_no(got.SYN | got.RST)
    assert states(subject) == [State.TIME_WAIT]


@covers("rfc9293:3.10.7.4/data-after-peer-fin-ignored")
def test_data_behind_our_fin_is_ignored(serve: Serve, raw: Raw) -> None:
    """Octets that lie behind our own FIN reach nobody."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    peer.send("FIN ACK", b"all")
    peer.expect(got.segment(ack=5))

    peer.send("PSH ACK", b"more")
    peer.flow()

    assert bytes.fromhex(subject.tell("drain")["first"]) == b"all", (
        "the program gets what came before our FIN, and no more"
    )


@covers("rfc9293:3.10.7.4/fin-with-data-delivers-both")
def test_fin_delivers_the_data_that_it_carries(serve: Serve, raw: Raw) -> None:
    """The octets of a segment with FIN are read first, then the end of the stream; one ACK covers both."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send("FIN PSH ACK", b"last words")

    peer.expect(got.segment(ack=12))
    seen = subject.tell("drain")
    assert (bytes.fromhex(seen["first"]), seen["ending"]) == (b"last words", "EOF")


@covers("rfc9293:3.10.7.4/out-of-order-fin-waits")
def test_fin_waits_for_what_is_missing_before_it(serve: Serve, raw: Raw) -> None:
    """A FIN above a hole is not the end: that comes when the hole is filled, with every octet."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send("FIN PSH ACK", b"second", seq=6)
    peer.expect(got.segment(ack=1))
    assert states(subject) == [State.ESTABLISHED], "not the end yet"
    peer.send("PSH ACK", b"first")

    peer.expect(got.segment(ack=13))
    seen = subject.tell("drain")
    assert (bytes.fromhex(seen["first"]), seen["ending"]) == (b"firstsecond", "EOF")


@covers("posix:close/close-sends-fin-in-background")
def test_close_does_not_wait_for_an_acknowledgment(serve: Serve, raw: Raw) -> None:
    """Without SO_LINGER close() returns although our end acknowledges nothing; the kernel goes on by itself."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    peer.acknowledges = False

    subject.tell("send 68656c6c6f")
    subject.tell("close")

    peer.expect(got.FIN)
    assert states(subject) == [State.FIN_WAIT_1]


@covers("posix:close/linger-time-blocks-close")
def test_lingering_close_waits_for_the_acknowledgment(serve: Serve, raw: Raw, probe: Probe) -> None:
    """With SO_LINGER close() returns when all that was sent, and the FIN, is acknowledged, and not before."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    peer.acknowledges = False
    subject.tell("linger 60")
    subject.tell("send 68656c6c6f")

    subject.tell_later("close")
    peer.expect(got.FIN)
    with control():
        assert probe.at_rest(subject), "the control: it has done what it can"
    assert not subject.has_answered, "close() waits"
    peer.acknowledge()

    assert subject.answer() is None
    assert states(subject) == [State.FIN_WAIT_2]


@covers("posix:close/linger-time-blocks-close")
@pytest.mark.slow
def test_lingering_close_gives_up_in_time(serve: Serve, raw: Raw) -> None:
    """Where nobody acknowledges, close() returns when the linger time of 1 s is over, and not before."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    peer.acknowledges = False
    subject.tell("linger 1")
    subject.tell("send 68656c6c6f")

    subject.tell_later("close")
    first = peer.expect(got.FIN)
    assert subject.answer() is None
    peer.send("ACK", ack=1)  # a mark on the wire behind close()

    mark = peer.flow().pick(sent.bare_ack())[-1]
    assert mark.since_ns - first.since_ns > 0.9e9, "close() waited"


@covers("linux:close/orphaned-fin-wait-2-is-bounded")
@pytest.mark.slow
def test_orphan_does_not_wait_for_ever_for_our_fin(serve: Serve, raw: Raw, probe: Probe) -> None:
    """A connection that was closed, and whose peer never ends its own direction, is forgotten after tcp_fin_timeout."""
    subject = serve()
    subject.sysctl("net/ipv4/tcp_fin_timeout", "1")
    peer = raw.connect(subject)
    subject.tell("accept")

    subject.tell("close")
    peer.expect(got.FIN)
    peer.expect_silence()
    with control():
        assert states(subject) == [State.FIN_WAIT_2], "the control: it waits"

    probe.expect_soon(subject, "the connection is forgotten", lambda: "it is there" if states(subject) else "")
    peer.send("FIN ACK")
    peer.expect(got.RST)
