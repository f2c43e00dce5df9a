"""A program that stands still (SIGSTOP): its kernel takes what comes until there is no room, and loses nothing.

The told server stands in for any program: what is claimed is the kernel's. What programs make of it when they go on
stands with their services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import KiB, MiB, State, covers, got, octets, states

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Serve, Wire

ROOM = 8 * KiB  # octets that the socket of the program may hold (SO_RCVBUF)


@covers("rfc9293:MUST-37")
def test_window_of_a_paused_program_closes_and_opens(serve: Serve, probe: Probe, wire: Wire) -> None:
    """What is sent to it is acknowledged until the window is 0; when it reads again, every octet arrives in order."""
    subject = serve()
    subject.tell(f"option SOL_SOCKET SO_RCVBUF {ROOM} #0")
    client = probe.connect(subject)
    subject.tell("accept")

    with subject.paused():
        taken = client.fill(octets(MiB))
        wire.wait_for(client, got.window(0))
        assert states(subject) == [State.ESTABLISHED], "nothing has ended"
    subject.tell_later("drain")
    client.half_close()
    wire.wait_for(client, got.acked(taken))

    seen = subject.answer()
    assert (seen["size"], seen["ending"]) == (taken, "EOF")
    assert seen["last"] == octets(MiB)[:taken][-16:].hex()


@covers("linux:accept/data-before-accept-is-kept")
def test_handshake_of_a_paused_program_is_made(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A listener that stands still is connected to; octets and FIN wait until it accepts."""
    subject = serve()

    with subject.paused():
        client = probe.connect(subject)
        client.send_all(b"take your time")
        client.half_close()
        wire.wait_for(client, got.segment(ack=16))

    subject.tell("accept")
    seen = subject.tell("drain")
    assert (seen["size"], seen["ending"]) == (14, "EOF")


@covers("rfc9293:3.10.7.4/old-duplicate-data-re-acked")
def test_keep_alive_is_answered_for_a_paused_program(serve: Serve, raw: Raw) -> None:
    """A probe of an idle connection is answered by the kernel: who stands still is not gone."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    with subject.paused():
        peer.send("ACK", b"!", seq=0)

        peer.expect(got.bare_ack() & got.segment(ack=1))
        peer.expect_silence()
