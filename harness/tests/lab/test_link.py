"""The link: fresh namespaces, both families, real segments, a silent wire, every address that a subject may bind."""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE
from harness.lab.ends import FAR, NEAR
from harness.lab.inlet import inlets
from harness.payload import MiB, octets
from harness.tests.lab.programs import speaking
from harness.wire.checksum import checksum_fault
from harness.wire.decode import decode
from harness.wire.segment import Segment

if TYPE_CHECKING:
    from harness.capture.recording import Wire
    from harness.lab.handle import Lab

FAMILY = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
TIME_WAIT = 6  # the kernel's number of the state

# Listens where it is told and prints the port; it accepts one connection, prints who came, and reads until the end.
LISTENS = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
connection, peer = listener.accept()
print(peer[0], flush=True)
while connection.recv(1 << 16):
    pass
"""


def listener_at_far(lab: Lab, family: str, port: int = 0) -> socket.socket:
    listener = lab.socket("far", FAMILY[family], socket.SOCK_STREAM)
    listener.bind((FAR.address(family), port))
    listener.listen()
    listener.settimeout(RESPONSE)
    return listener


def client_at_near(lab: Lab, host: str, port: int) -> socket.socket:
    client = lab.socket("near", FAMILY["v6" if ":" in host else "v4"], socket.SOCK_STREAM)
    client.settimeout(RESPONSE)
    client.connect((host, port))
    return client


def test_each_build_has_ports_of_its_own(lab: Lab, family: str) -> None:
    """A port that is bound in one build, and then left in TIME-WAIT, is free in the next."""
    with listener_at_far(lab, family, port=1234) as listener:
        with client_at_near(lab, FAR.address(family), 1234) as client:
            connection, _ = listener.accept()
            connection.close()  # the far end closes first: TIME-WAIT is on its side
            assert client.recv(1) == b""
        states = 1 << TIME_WAIT
        query = {"protocol": socket.IPPROTO_TCP, "states": states}
        assert len(lab.ask("sockets", **query)["sockets"]) == 1

        lab.ask("build")

        assert lab.ask("sockets", **query)["sockets"] == []
        listener_at_far(lab, family, port=1234).close()


def test_a_socket_keeps_its_namespace(lab: Lab) -> None:
    """It is used here, whose own namespace has no such address; a later build does not touch it."""
    place = (NEAR.v4[0], 4321)
    with ExitStack() as stack:
        own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with pytest.raises(OSError, match="assign") as refused:
            own.bind(place)
        assert refused.value.errno == errno.EADDRNOTAVAIL

        before = stack.enter_context(lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM))
        before.bind(place)
        lab.ask("build")
        after = stack.enter_context(lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM))
        after.bind(place)  # the same port is free: another namespace

        assert before.getsockname() == after.getsockname() == place


def test_segments_are_as_on_a_wire(lab: Lab, wire: Wire, family: str) -> None:
    """In a bulk transfer no frame is larger than the link's, and every checksum is right: offloads are off."""
    with listener_at_far(lab, family) as listener:
        client = client_at_near(lab, *listener.getsockname()[:2])
        far, _ = listener.accept()
        sent = octets(1 * MiB)
        with closing(client), closing(far):
            exchanged = {"near": pump(client, far, sent), "far": pump(far, client, sent)}

    frames = wire.capture().frames

    assert exchanged == {"near": sent, "far": sent}
    assert max(frame.size for frame in frames) == 1514
    assert [f"#{frame.number}: {fault}" for frame in frames if (fault := checksum_fault(frame))] == []
    largest = {frame.sent for frame in frames if frame.size == 1514}
    assert largest == {True, False}  # either end sends full ones


def test_segments_may_be_larger_where_nobody_looks(lab: Lab, wire: Wire, family: str) -> None:
    """A soak captures nothing, so that its ends may leave the division to the link."""
    lab.ask("offload")
    with listener_at_far(lab, family) as listener:
        client = client_at_near(lab, *listener.getsockname()[:2])
        far, _ = listener.accept()
        with closing(client), closing(far):
            pump(client, far, octets(1 * MiB))

    assert max(frame.size for frame in wire.capture().frames) > 1514


def pump(source: socket.socket, sink: socket.socket, sent: bytes) -> bytes:
    """Send from one socket and read at the other, in one thread."""
    source.setblocking(False)
    sink.setblocking(False)
    view, taken = memoryview(sent), bytearray()
    while len(taken) < len(sent):
        readable, writable, _ = select.select([sink], [source] if view else [], [], RESPONSE)
        assert readable or writable, f"nothing moves after {len(taken)} octets"
        if writable:
            view = view[source.send(view) :]
        if readable:
            taken += sink.recv(1 << 18)
    return bytes(taken)


def test_the_wire_is_silent(wire: Wire) -> None:
    """With IPv6 up, and nobody talking, there is nothing: no neighbour discovery, no solicitation, no report."""
    first = wire.capture()
    second = wire.capture()

    assert (first.frames, second.frames) == ((), ())
    assert second.certificate.holds


def test_there_is_nothing_to_announce(lab: Lab) -> None:
    """What would break the silence later, on a timer of the kernel's: link-local addresses, groups of neighbours."""
    tells = "print(*(line.split()[0] for line in open('/proc/net/if_inet6')), flush=True)\n"
    tells += "print(*(line.split()[2] for line in open('/proc/net/igmp6') if ' far0 ' in line), flush=True)"

    with speaking(lab, tells) as program:
        addresses, groups = program.line().split(), program.line().split()

    own = [socket.inet_pton(socket.AF_INET6, address).hex() for address in ("::1", *FAR.v6)]
    assert sorted(addresses) == sorted(own)
    assert [group for group in groups if group.startswith("ff0200000000000000000001ff")] == []  # RFC 4291 2.7.1


def test_no_octet_passes_that_the_test_did_not_cause(lab: Lab, wire: Wire, family: str) -> None:
    """One datagram is one frame: no address is resolved before it."""
    with (
        lab.socket("near", FAMILY[family], socket.SOCK_DGRAM) as near,
        lab.socket("far", FAMILY[family], socket.SOCK_DGRAM) as far,
    ):
        far.bind((FAR.address(family), 7))
        near.sendto(b"alone", (FAR.address(family), 7))
        frames = wire.capture().frames

        assert [len(frame.octets) for frame in frames] == [14 + (20 if family == "v4" else 40) + 8 + 5]


@pytest.mark.parametrize(
    ("host", "comes_from"),
    [
        *((host, NEAR.v4[0]) for host in (*FAR.v4, "127.0.0.1", "127.1.2.3")),
        *((host, NEAR.v6[0]) for host in FAR.v6),
    ],
)
def test_a_subject_is_reached_where_it_is_bound(lab: Lab, wire: Wire, host: str, comes_from: str) -> None:
    """Also at 127.0.0.1, and over the link: its segments are captured like all others."""
    with speaking(lab, LISTENS, host) as program:
        port = int(program.line())
        with client_at_near(lab, host, port):
            assert program.line() == comes_from

    segments = [packet for packet in decode(wire.capture().frames) if isinstance(packet, Segment)]
    assert {packet.destination for packet in segments if packet.sent} == {(host, port)}


def test_the_host_name_is_the_subjects_address(lab: Lab, family: str) -> None:
    """A server that binds socket.gethostname() is reached, in either family."""
    binds = f"""
import socket
place = socket.getaddrinfo(socket.gethostname(), 9999, socket.{FAMILY[family].name}, socket.SOCK_STREAM)[0][4]
listener = socket.socket(socket.{FAMILY[family].name})
listener.bind((socket.gethostname(), 9999))
listener.listen()
print(place[0], flush=True)
listener.accept()[0].sendall(b"here")
input()
"""
    with speaking(lab, binds) as program:
        assert program.line() == FAR.address(family)
        with client_at_near(lab, FAR.address(family), 9999) as client:
            assert client.recv(4) == b"here"


def test_low_ports_may_be_bound(lab: Lab) -> None:
    """By any user: port 7 is the echo service's own."""
    binds = """
import os, socket
if os.getuid() == 0:
    os.setuid(65534)
with socket.create_server(("", 7)):
    print("bound by", os.getuid(), flush=True)
"""
    with speaking(lab, binds) as program:
        assert program.line() == f"bound by {os.getuid() or 65534}"


def test_a_setting_holds_for_one_end(lab: Lab) -> None:
    """A sysctl is set in the far namespace, and neither at the near end nor on the host."""
    setting = Path("/proc/sys/net/ipv4/tcp_syn_retries")
    before = setting.read_text()
    shows = f"print(open({str(setting)!r}).read().strip(), flush=True)"

    lab.ask("sysctl", side="far", name="net/ipv4/tcp_syn_retries", value="3")

    with speaking(lab, shows) as program:
        assert program.line() == "3"
    assert setting.read_text() == before
    lab.ask("build")
    with speaking(lab, shows) as program:
        assert program.line() != "3"


def test_each_namespace_has_a_table_of_connections_of_its_own(lab: Lab) -> None:
    """Or each look at a subject would walk through that of the machine; what the size decides is as ever."""
    if not Path("/proc/sys/net/ipv4/tcp_child_ehash_entries").exists():
        pytest.skip("Linux has such tables since 6.1")
    shows = "for name in ('tcp_ehash_entries', 'tcp_max_syn_backlog'): print(open(f'/proc/sys/net/ipv4/{name}').read())"

    with speaking(lab, shows) as program:
        told = [int(program.line() or 0) for _ in range(3)]

    assert told == [4096, 0, 2048]


@pytest.mark.parametrize("name", ["kernel/hostname", "net/../kernel/hostname"])
def test_only_the_network_is_set(lab: Lab, name: str) -> None:
    """A sysctl that is not the namespace's would be the host's."""
    with pytest.raises(RuntimeError, match="no setting of a network namespace"):
        lab.ask("sysctl", side="far", name=name, value="x")


def socket_of(descriptor: int) -> socket.socket:
    return socket.socket(fileno=descriptor)


def test_a_relayed_link_passes_only_what_is_forwarded(lab: Lab, family: str) -> None:
    """Two packet sockets stand in the middle: what arrives at the one goes on when it is written to the other."""
    descriptors = lab.ask("build", relayed=True).descriptors
    with ExitStack() as stack:
        from_near, from_far = map(stack.enter_context, map(closing, inlets(*map(socket_of, descriptors))))
        near = stack.enter_context(lab.socket("near", FAMILY[family], socket.SOCK_DGRAM))
        far = stack.enter_context(lab.socket("far", FAMILY[family], socket.SOCK_DGRAM))
        far.bind((FAR.address(family), 7))
        for one in (near, far):
            one.settimeout(RESPONSE)

        near.sendto(b"held", (FAR.address(family), 7))
        select.select([from_near.socket], [], [], RESPONSE)
        (frame,) = from_near.take(10)
        held = select.select([far], [], [], 0)[0]
        from_far.socket.send(frame)
        octets_there, whence = far.recvfrom(2048)
        far.sendto(b"back", whence)
        select.select([from_far.socket], [], [], RESPONSE)
        (answer,) = from_far.take(10)
        from_near.socket.send(answer)

        assert held == []
        assert (octets_there, whence[0]) == (b"held", NEAR.address(family))
        assert near.recv(2048) == b"back"


def test_a_datagram_sent_at_once_arrives(lab_process: Lab, family: str) -> None:
    """Nothing of the link becomes ready later: the first datagram of a test arrives, in both directions."""
    kind = socket.AF_INET if family == "v4" else socket.AF_INET6
    for _ in range(10):
        lab_process.ask("build")
        with (
            lab_process.socket("near", kind, socket.SOCK_DGRAM) as near,
            lab_process.socket("far", kind, socket.SOCK_DGRAM) as far,
        ):
            near.bind((NEAR.address(family), 0))
            far.bind((FAR.address(family), 7))
            for one, other in ((near, far), (far, near)):
                other.settimeout(5)
                one.sendto(b"at once", other.getsockname())
                assert other.recv(100) == b"at once"
        lab_process.ask("clear")


@pytest.mark.parametrize(
    ("here", "there"), [(NEAR.v4, FAR.v4), (FAR.v4, NEAR.v4), (NEAR.v6, FAR.v6), (FAR.v6, NEAR.v6)]
)
def test_the_first_address_is_the_one_that_the_kernel_prefers(
    lab: Lab, here: tuple[str, ...], there: tuple[str, ...]
) -> None:
    """Who is bound to all of them and is asked at the first one answers from it, whether it takes care or not."""
    side = "near" if here in {NEAR.v4, NEAR.v6} else "far"
    with lab.socket(side, FAMILY["v6" if ":" in here[0] else "v4"], socket.SOCK_DGRAM) as unbound:
        unbound.connect((there[0], 9))

        assert unbound.getsockname()[0] == here[0]
