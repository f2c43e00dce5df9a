"""What bind() gives and refuses, and what addresses look like in Python (bind(2), ip(7), Python's socket module)."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from harness.suite import Ending, State, covers, families, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire


@covers(
    "posix:bind/bind-assigns-local-address",
    "linux:bind/port-zero-picks-ephemeral-port",
    "posix:name/getsockname-reports-bound-address",
)
def test_bind_to_port_0_takes_a_free_port_of_the_range(runtime: Runtime) -> None:
    """Each socket that is bound to port 0 gets a port of its own from ip_local_port_range, and knows it."""
    runtime.process.sysctl("net/ipv4/ip_local_port_range", "40000 40099")
    bound = [runtime.tcp() for _ in range(20)]
    with requires("linux:bind/port-zero-picks-ephemeral-port"):
        for one in bound:
            one.bind((runtime.host, 0))

    names = [one.getsockname()[:2] for one in bound]

    assert all(port > 0 for _, port in names), "each has a port"
    with requires("posix:name/getsockname-reports-bound-address"):
        assert {host for host, _ in names} == {runtime.host}
        assert runtime.tcp().getsockname()[:2] == (runtime.everywhere, 0), "before bind()"
    with requires("linux:bind/port-zero-picks-ephemeral-port"):
        assert all(40000 <= port <= 40099 for _, port in names), names
        assert len(set(names)) == len(names), "no port twice"


@covers("posix:bind/rebinding-fails-einval", "python:bind/bind-once")
def test_bind_twice_is_refused(runtime: Runtime) -> None:
    """A socket that has an address keeps it: the second bind() is EINVAL."""
    bound = runtime.udp()
    address = bound.getsockname()

    with raises(errno.EINVAL):
        bound.bind((runtime.host, 0))

    with requires("python:bind/bind-once"):
        assert bound.getsockname() == address


@covers("posix:bind/foreign-address-fails-eaddrnotavail")
def test_bind_to_the_address_of_another_machine_is_refused(runtime: Runtime) -> None:
    """The probe's address is not the runtime's to bind: EADDRNOTAVAIL."""
    with raises(errno.EADDRNOTAVAIL):
        runtime.tcp().bind((runtime.probe, 0))


@covers(
    "posix:bind/busy-address-fails-eaddrinuse",
    "linux:opt/reuseaddr-does-not-steal-listeners",
    "linux:bind/wildcard-conflicts-with-specific-address",
    "linux:bind/different-addresses-share-a-port",
    "linux:bind/tcp-and-udp-port-spaces-separate",
)
def test_a_port_that_is_listened_on_is_taken(runtime: Runtime) -> None:
    """The address of a listener cannot be bound again, SO_REUSEADDR or not; other addresses and UDP are free."""
    host, other = runtime.hosts
    port = runtime.listener(host=host).getsockname()[1]

    with raises(errno.EADDRINUSE):
        runtime.tcp().bind((host, port))
    again = runtime.tcp()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with requires("linux:opt/reuseaddr-does-not-steal-listeners"), raises(errno.EADDRINUSE):
        again.bind((host, port))
    with requires("linux:bind/wildcard-conflicts-with-specific-address"), raises(errno.EADDRINUSE):
        again.bind((runtime.everywhere, port))
    with requires("linux:bind/different-addresses-share-a-port"):
        assert runtime.listener(host=other, port=port).getsockname()[:2] == (other, port)
    with requires("linux:bind/tcp-and-udp-port-spaces-separate"):
        assert runtime.udp(port=port).getsockname()[:2] == (host, port)


@covers(
    "posix:bind/wrong-family-address-rejected",
    "posix:connect/wrong-family-eafnosupport",
    "posix:err/bad-address-length-einval",
)
def test_addresses_of_another_family_or_length_are_refused(runtime: Runtime) -> None:
    """bind() and connect() look at the family of an address and at its length."""

    def refused(family: int, other: int, call: str, length: int) -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        address = ctypes.create_string_buffer(int(other).to_bytes(2, "little") + bytes(26), 28)
        with socket.socket(family, socket.SOCK_STREAM) as made:
            result = getattr(libc, call)(made.fileno(), address, length)
        return ctypes.get_errno() if result else 0

    other = socket.AF_INET6 if runtime.family == "v4" else socket.AF_INET

    assert runtime.run(refused, runtime.af, other, "bind", 28) == errno.EAFNOSUPPORT
    with requires("posix:connect/wrong-family-eafnosupport"):
        assert runtime.run(refused, runtime.af, other, "connect", 28) == errno.EAFNOSUPPORT
    with requires("posix:err/bad-address-length-einval"):
        assert runtime.run(refused, runtime.af, runtime.af, "bind", 1) == errno.EINVAL
        assert runtime.run(refused, runtime.af, runtime.af, "connect", 1) == errno.EINVAL


@covers("linux:bind/privileged-ports-need-capability", "linux:socket/raw-socket-needs-privilege")
def test_low_ports_and_raw_sockets_need_a_privilege(runtime: Runtime) -> None:
    """Whoever has no capability gets EACCES for a port below ip_unprivileged_port_start and EPERM for SOCK_RAW."""
    runtime.process.sysctl("net/ipv4/ip_unprivileged_port_start", "1024")

    def without_privilege(family: int) -> list[int]:
        reading, writing = os.pipe()
        if not os.fork():
            if not os.getuid():
                os.setuid(65534)
            numbers = []
            for call in (
                lambda: socket.socket(family, socket.SOCK_STREAM).bind(("", 1023)),
                lambda: socket.socket(family, socket.SOCK_STREAM).bind(("", 1024)),
                lambda: socket.socket(family, socket.SOCK_RAW, 1),
            ):
                try:
                    call()
                    numbers.append(0)
                except OSError as error:
                    numbers.append(error.errno or 0)
            os.write(writing, bytes(numbers))
            os._exit(0)
        os.wait()
        return list(os.read(reading, 100))

    low, high, raw = runtime.run(without_privilege, runtime.af)

    assert (low, high) == (errno.EACCES, 0), "port 1023 is EACCES, and port 1024 is for everybody"
    with requires("linux:socket/raw-socket-needs-privilege"):
        assert raw == errno.EPERM


@families("v4")
@covers("posix:bind/non-socket-descriptor-fails-enotsock", "posix:bind/closed-descriptor-fails-ebadf")
def test_socket_calls_want_a_socket(runtime: Runtime) -> None:
    """bind(), listen(), accept() and the rest on a pipe are ENOTSOCK, and on a descriptor that is closed EBADF."""

    def errors_of(closed: bool) -> dict[str, int]:
        libc = ctypes.CDLL(None, use_errno=True)
        reading, writing = os.pipe()
        if closed:
            os.close(reading)
            os.close(writing)
        address, found = ctypes.create_string_buffer(bytes([2]), 16), {}
        for call, arguments in {
            "bind": (address, 16),
            "connect": (address, 16),
            "listen": (1,),
            "accept": (None, None),
            "getsockname": (address, ctypes.byref(ctypes.c_int(16))),
            "send": (b"x", 1, 0),
            "recv": (address, 16, 0),
            "shutdown": (2,),
        }.items():
            ctypes.set_errno(0)
            getattr(libc, call)(reading, *arguments)
            found[call] = ctypes.get_errno()
        return found

    assert set(runtime.run(errors_of, False).values()) == {errno.ENOTSOCK}
    with requires("posix:bind/closed-descriptor-fails-ebadf"):
        assert set(runtime.run(errors_of, True).values()) == {errno.EBADF}


@covers("linux:opt/bind-without-reserving-port")
def test_a_port_can_be_left_for_connect_to_choose(runtime: Runtime, probe: Probe) -> None:
    """With IP_BIND_ADDRESS_NO_PORT bind() to port 0 fixes the address alone; connect() finds the port."""
    ours = runtime.tcp()
    ours.setsockopt(socket.IPPROTO_IP, 24, 1)  # Python has no name for IP_BIND_ADDRESS_NO_PORT
    listener = probe.listen(runtime.at(ours))

    ours.bind((runtime.host, 0))

    assert ours.getsockname()[:2] == (runtime.host, 0)
    ours.connect(listener.address)
    assert ours.getsockname()[1] > 0


@families("v4")
@covers("python:addr/ipv4-address-is-a-pair")
def test_an_ipv4_address_is_a_pair_of_host_and_port(runtime: Runtime) -> None:
    """bind() takes a tuple of a string and a number, and nothing else; getsockname() returns such a tuple."""
    bound = runtime.tcp()
    for wrong in (("127.0.0.1", 0, 0), ["127.0.0.1", 0], ("127.0.0.1", "0"), "127.0.0.1"):
        with raises(TypeError):
            bound.bind(wrong)

    bound.bind(("127.0.0.1", 0))
    host, port = bound.getsockname()
    assert (host, type(port)) == ("127.0.0.1", int)


@families("v6")
@covers("python:addr/ipv6-address-is-four-tuple")
def test_an_ipv6_address_has_four_parts(runtime: Runtime) -> None:
    """Flow information and scope may be left out of an address that is given, and are part of every one returned."""
    for given in (("::1", 0), ("::1", 0, 0), ("::1", 0, 0, 0)):
        bound = runtime.tcp()
        bound.bind(given)
        name = bound.getsockname()
        assert len(name) == 4, "host, port, flow information and scope"
        assert (name[0], name[1] > 0, *name[2:]) == ("::1", True, 0, 0)


@families("v4")
@covers(
    "python:addr/empty-host-means-any",
    "linux:connect/broadcast-needs-so-broadcast",
    "posix:opt/so-broadcast-gates-broadcasts",
)
def test_empty_and_broadcast_hosts(runtime: Runtime) -> None:
    """'' is every address; '<broadcast>' is 255.255.255.255, for which SO_BROADCAST must be on."""
    ours = runtime.udp(port=None)
    ours.bind(("", 0))
    assert ours.getsockname()[0] == "0.0.0.0"

    broadcast = "10.9.0.255"  # of the link: for 255.255.255.255 there may be no route
    with requires("posix:opt/so-broadcast-gates-broadcasts"):
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0, "off to begin with"
        with raises(errno.EACCES):
            ours.sendto(b"x", (broadcast, 9))
    with requires("linux:connect/broadcast-needs-so-broadcast"), raises(errno.EACCES):
        ours.connect((broadcast, 9))
    with requires("posix:opt/so-broadcast-gates-broadcasts"):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        assert ours.sendto(b"x", (broadcast, 9)) == 1


@covers("python:addr/host-names-use-first-address")
def test_a_name_may_stand_for_an_address(runtime: Runtime) -> None:
    """bind() and connect() look a host name up and take its first address of the socket's family."""
    name = "localhost" if runtime.family == "v4" else "ip6-localhost"
    listener = runtime.listener(host=runtime.loopback)

    ours = runtime.tcp()
    ours.connect((name, listener.getsockname()[1]))

    assert ours.getpeername()[0] == runtime.loopback


@covers("python:addr/port-range-checked", "python:addr/nul-in-host-rejected")
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_ports_and_hosts_are_checked_before_the_call(runtime: Runtime, call: str) -> None:
    """A port outside of 0 to 65535 is an OverflowError; a host with NUL in it is not cut short."""
    ours = runtime.tcp()
    for port in (-1, 65536, 70000):
        with raises(OverflowError):
            getattr(ours, call)((runtime.loopback, port))
    with requires("python:addr/nul-in-host-rejected"), raises(TypeError, ValueError):
        getattr(ours, call)((runtime.loopback + "\0x", 7))


@families("v4")
@covers("python:addr/unix-addresses-str-or-bytes")
def test_unix_addresses_are_paths_or_abstract_names(runtime: Runtime) -> None:
    """A path is a str, an abstract name is bytes that begin with NUL, and a path that is too long an OSError."""

    def names() -> list[Any]:
        found = []
        with tempfile.TemporaryDirectory() as folder:
            for address in (f"{folder}/text", f"{folder}/octets".encode(), b"\0abstract", f"{folder}/{'x' * 109}"):
                with socket.socket(socket.AF_UNIX) as made:
                    try:
                        made.bind(address)
                        found.append(made.getsockname())
                    except OSError as error:
                        found.append(type(error))
        return found

    text, octets, abstract, long = runtime.run(names)

    assert (text.rpartition("/")[2], octets.rpartition("/")[2]) == ("text", "octets")
    assert (abstract, long) == (b"\0abstract", OSError)


@families("v6")
@covers("posix:opt/ipv6-v6only-separates-families", "linux:opt/v6only-only-before-bind")
@pytest.mark.parametrize("alone", [0, 1])
def test_an_ipv6_listener_serves_ipv4_too_unless_it_is_told_not_to(runtime: Runtime, alone: int) -> None:
    """With IPV6_V6ONLY off an IPv4 client comes as ::ffff:a.b.c.d; with it on it is refused."""
    listener = runtime.tcp()
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
    listener.bind(("::", 0))
    listener.listen()
    with requires("linux:opt/v6only-only-before-bind"), raises(errno.EINVAL):
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 - alone)
    client = runtime.socket(socket.AF_INET, socket.SOCK_STREAM)

    refused = client.connect_ex(("127.0.0.1", listener.getsockname()[1]))

    assert refused == (errno.ECONNREFUSED if alone else 0)
    if not alone:
        assert listener.accept()[1][:2] == ("::ffff:127.0.0.1", client.getsockname()[1])


@families("v6")
@covers("linux:opt/dual-stack-blocks-ipv4-bind")
def test_a_dual_stack_listener_holds_the_ipv4_port_too(runtime: Runtime) -> None:
    """What listens on :: for both families leaves the port to nobody on 0.0.0.0; with IPV6_V6ONLY it does."""
    for alone in (0, 1):
        listener = runtime.tcp()
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
        listener.bind(("::", 0))
        listener.listen()
        other = runtime.socket(socket.AF_INET, socket.SOCK_STREAM)
        if alone:
            other.bind(("0.0.0.0", listener.getsockname()[1]))
        else:
            with raises(errno.EADDRINUSE):
                other.bind(("0.0.0.0", listener.getsockname()[1]))


@covers("linux:err/eaddrnotavail-on-port-exhaustion", "linux:err/eagain-on-udp-autobind-exhaustion")
def test_when_no_port_is_left(runtime: Runtime, probe: Probe) -> None:
    """With every ephemeral port taken connect() is EADDRNOTAVAIL, and sendto() from an unbound socket EAGAIN."""
    runtime.process.sysctl("net/ipv4/ip_local_port_range", "40000 40005")
    listener = probe.listen(runtime.at(runtime.udp(port=7)), backlog=10)

    ours = [runtime.tcp() for _ in range(7)]  # connect() looks through pairs of ports, so their number is even
    errors = [one.connect_ex(listener.address) for one in ours]

    assert errors == [*[0] * 6, errno.EADDRNOTAVAIL]
    with requires("linux:err/eagain-on-udp-autobind-exhaustion"):
        senders = [runtime.udp(port=None) for _ in range(7)]
        for sender in senders[:6]:
            sender.sendto(b"x", (runtime.probe, 9))
        with raises(errno.EAGAIN):
            senders[6].sendto(b"x", (runtime.probe, 9))


@covers("linux:opt/reuseaddr-ignores-time-wait", "linux:opt/both-owners-must-set-reuseaddr")
@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_port_of_a_server_that_closed_first(
    runtime: Runtime, probe: Probe, wire: Wire, first: int, second: int
) -> None:
    """While its connection is in TIME-WAIT the port is free for those who set SO_REUSEADDR after one who did so too."""
    listener = runtime.tcp()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, first)
    listener.bind((runtime.host, 0))
    listener.listen()
    port = listener.getsockname()[1]
    client = probe.connect(runtime.at(listener))
    listener.accept()[0].close()
    client.expect_end(Ending.EOF)
    wire.wait_for(client, sent.bare_ack(), count=2)  # of the handshake, and of the server's FIN: maybe from a timer
    wire.flow(client)  # and it has arrived before our FIN: behind it, it would be a stray, and end TIME-WAIT
    client.close()
    waiting = runtime.at(listener)
    probe.expect_soon(
        waiting,
        "the connection is in TIME-WAIT",
        lambda: "" if runtime.process.sockets(State.TIME_WAIT) else "it is not",
    )
    listener.close()

    again = runtime.tcp()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, second)
    if first and second:
        again.bind((runtime.host, port))
        again.listen()
    else:
        with requires("linux:opt/both-owners-must-set-reuseaddr"), raises(errno.EADDRINUSE):
            again.bind((runtime.host, port))
