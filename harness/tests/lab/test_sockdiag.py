"""The list of sockets says what pyroute2 reads from the same answers of the kernel."""

from __future__ import annotations

import multiprocessing
import socket
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import DiagSocket

from harness.lab import kernel, rtnetlink, sockdiag

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = 0xFFF  # every state
LOOPBACK: dict[int, str] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.fixture
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process that stands in an empty network namespace, with nothing but its loopback up."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh, initializer=move_away) as there:
        yield there


def move_away() -> None:
    kernel.own_user_namespace()  # so that anybody may
    kernel.new_network()
    rtnetlink.carry_out(rtnetlink.up(1))


def both_lists(family: int, protocol: int) -> tuple[list[Any], list[Any]]:
    """Ours and that of pyroute2, of a listener, a connection with octets unread, and a TIME-WAIT."""
    kind = socket.SOCK_STREAM if protocol == socket.IPPROTO_TCP else socket.SOCK_DGRAM
    with socket.socket(family, kind) as waits, socket.socket(family, kind) as sends:
        if family == socket.AF_INET6:
            waits.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        waits.bind((LOOPBACK[family], 0))
        if protocol == socket.IPPROTO_TCP:
            waits.listen(7)
            with socket.create_connection(waits.getsockname()[:2]) as gone:
                gone.close()
                waits.accept()[0].close()  # on the client's FIN: its end is in TIME-WAIT, and ours is gone
        sends.connect(waits.getsockname())
        sends.send(b"unread")
        return listed(family, protocol), listed_by_pyroute2(family, protocol)


def listed(family: int, protocol: int) -> list[Any]:
    listing = sockdiag.Listing()
    try:
        return sorted(told._replace(timer_ms=0) for told in listing.sockets(family, protocol, ALL))
    finally:
        listing.close()


def listed_by_pyroute2(family: int, protocol: int) -> list[Any]:
    with DiagSocket() as kernel:
        kernel.bind()
        return sorted(
            sockdiag.Socket(
                told["idiag_state"],
                told["idiag_inode"],
                (told["idiag_src"], told["idiag_sport"]),
                (told["idiag_dst"], told["idiag_dport"]),
                told["idiag_rqueue"],
                told["idiag_wqueue"],
                0,
                bool(told.get_attr("INET_DIAG_SKV6ONLY")),
            )
            for told in kernel.get_sock_stats(family=family, states=ALL, protocol=protocol)
        )


@pytest.mark.parametrize("protocol", [socket.IPPROTO_TCP, socket.IPPROTO_UDP], ids=["tcp", "udp"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["v4", "v6"])
def test_it_reads_what_pyroute2_reads(elsewhere: ProcessPoolExecutor, family: int, protocol: int) -> None:
    """All but the timers, which go on between the two."""
    ours, theirs = elsewhere.submit(both_lists, family, protocol).result()

    assert ours == theirs
    assert len(ours) == (4 if protocol == socket.IPPROTO_TCP else 2), (
        "a listener, two ends of a connection, a TIME-WAIT"
    )
    assert any(told.unread for told in ours)
    assert any(told.only_v6 for told in ours) == (family == socket.AF_INET6)


def test_what_the_kernel_refuses_is_told(elsewhere: ProcessPoolExecutor) -> None:
    """A protocol that has no sockets to list, say: not an empty list, which would pass for silence."""
    with pytest.raises(OSError, match="sock_diag"):
        elsewhere.submit(listed, socket.AF_INET, 200).result()
