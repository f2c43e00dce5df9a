"""A program that is killed in the middle of an exchange (SIGKILL): what its kernel still does in its name, and no more.

Nothing of the program runs any more, so all that the wire shows is the kernel's: it closes what was open, as close()
does. The told server and a runtime say what was open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import Ending, KiB, State, control, covers, got, octets, option, requires, states

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Runtime, Serve, Wire


@covers("posix:exit/descriptors-are-closed", "posix:close/close-sends-fin-in-background")
def test_killed_program_ends_its_stream(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A client who was answered sees the whole answer, then the end of the stream, and no RST."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    client.send_all(b"question")
    subject.tell("read 100")
    subject.tell(f"send-pattern {64 * KiB} 7")

    subject.kill()

    client.expect(octets(64 * KiB, seed=7))
    client.expect_end(Ending.EOF)
    flow = wire.flow(client)
    flow.expect(got.FIN)
    flow.expect_no(got.RST)


@covers("posix:exit/descriptors-are-closed", "linux:close/unread-data-causes-rst-on-close")
def test_killed_program_resets_who_was_not_heard(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A client whose octets were acknowledged and never read learns of it: RST, and no FIN."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    client.send_all(b"never read")
    wire.wait_for(client, got.acked(10))

    subject.kill()

    assert client.ending() is Ending.RESET
    wire.flow(client).expect_no(got.FIN)


@covers("posix:exit/descriptors-are-closed", "linux:close/closing-listener-resets-queued-connections")
def test_killed_program_resets_who_waited_for_accept(serve: Serve, probe: Probe) -> None:
    """A client in the accept queue is reset, and who comes later is refused: nobody waits for a dead program."""
    subject = serve()
    client = probe.connect(subject)

    subject.kill()

    assert client.ending() is Ending.RESET
    assert probe.try_connect(subject) == "refused (RST)"


@covers("posix:close/close-sends-fin-in-background")
def test_octets_of_a_killed_program_wait_for_a_window(serve: Serve, raw: Raw) -> None:
    """What waits for a window outlives the program: when the window opens it comes, and the FIN behind it."""
    subject = serve()
    peer = raw.connect(subject, option.mss(1000))
    subject.tell("accept")
    peer.send("PSH ACK", b"!", window=0)  # the octet makes it news (SND.WL1, RFC 9293 3.10.7.4)
    subject.tell("read 1")
    subject.tell("send-pattern 5000 7")

    subject.kill()
    peer.flow().expect_no(got.FIN)
    peer.send("ACK")

    peer.expect(got.FIN)
    assert peer.flow().stream(got) == octets(5000, seed=7)


@covers("rfc9293:SHLD-3")
def test_octets_for_a_killed_program_are_refused(serve: Serve, raw: Raw) -> None:
    """Octets that come when the program is dead reach nobody: RST says so, and after it there is silence."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    subject.kill()
    peer.expect(got.FIN)

    peer.send("PSH ACK", b"are you there?")

    peer.expect(got.RST)
    peer.expect_silence()
    assert states(subject) == []


@covers("posix:exit/descriptors-are-closed")
def test_killed_program_sends_nothing_more(serve: Serve, raw: Raw) -> None:
    """When the end of a killed program's stream is acknowledged there is silence, however much more its peer says."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")
    subject.tell("send 776169743a20")

    subject.kill()
    peer.expect(got.FIN)
    peer.send("FIN ACK")

    peer.expect(got.segment(ack=peer.snd_nxt))
    peer.expect_silence()
    assert states(subject) == [State.TIME_WAIT], "the kernel remembers what the program cannot"


@covers("posix:exit/descriptors-are-closed", "rfc1122:4.1.3.1/closed-udp-port-draws-port-unreachable")
def test_port_of_a_killed_program_is_unreachable(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """A datagram for a program that was killed draws ICMP port unreachable, and the one before was taken in silence."""
    ours = runtime.udp()
    client = probe.datagrams(runtime.at(ours))
    client.send(b"while it lives")
    wire.flow(client).expect_no(got.icmp("port unreachable"))

    runtime.process.kill()
    with control():
        assert runtime.process.wait_end(), "the control: it has ended"
    client.send(b"when it is dead")

    with requires("rfc1122:4.1.3.1/closed-udp-port-draws-port-unreachable"):
        wire.wait_for(client, got.icmp("port unreachable"))
