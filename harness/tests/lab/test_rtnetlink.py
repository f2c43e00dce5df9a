"""Requests are those that pyroute2 writes; what the kernel refuses is told, and what it answers is given."""

from __future__ import annotations

import errno
import multiprocessing
import socket
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from pyroute2 import IPBatch

from harness.lab import kernel, netlink, rtnetlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    CarryOut: TypeAlias = Callable[[bytes], list[bytes]]

LOOPBACK = 1  # the index of every namespace's loopback interface
NEAR, FAR = "02:00:00:00:00:01", "02:00:00:00:00:02"
V6 = socket.AF_INET6


@pytest.fixture
def carry_out() -> Iterator[CarryOut]:
    """Carries requests out in an empty network namespace, where a process stands that nobody else needs."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh, initializer=move_away) as there:
        yield lambda requests: there.submit(rtnetlink.carry_out, requests).result()


def move_away() -> None:
    kernel.own_user_namespace()  # so that anybody may
    kernel.new_network()


def veth_by_pyroute2(ip: IPBatch) -> None:
    names = [("IFLA_IFNAME", "far7"), ("IFLA_ADDRESS", FAR), ("IFLA_NET_NS_FD", 12)]
    peer = ("VETH_INFO_PEER", {"index": 102, "attrs": names})
    pair = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [peer]})]}
    ip.link("add", index=101, ifname="near7", address=NEAR, IFLA_LINKINFO=pair)


def neighbour_by_pyroute2(ip: IPBatch, host: str, family: int) -> None:
    ip.neigh("add", dst=host, lladdr=FAR, ifindex=101, state=0x80, family=family)


def local_route_by_pyroute2(ip: IPBatch, network: str, family: int) -> None:
    ip.route("add", dst=network, oif=101, table=255, type="local", family=family)


PAIRS: dict[str, tuple[bytes, Callable[[IPBatch], Any]]] = {
    "veth": (rtnetlink.veth(101, "near7", NEAR, (102, "far7", FAR), 12), veth_by_pyroute2),
    "up": (rtnetlink.up(1), lambda ip: ip.link("set", index=1, state="up")),
    "without_arp": (
        rtnetlink.up_without_arp(101, 1280),
        lambda ip: ip.link("set", index=101, state="up", arp=False, mtu=1280),
    ),
    "address_v4": (
        rtnetlink.address(101, "10.9.0.1", 24),
        lambda ip: ip.addr("add", index=101, address="10.9.0.1", prefixlen=24),
    ),
    "address_v6": (
        rtnetlink.address(101, "fd09::1", 64),
        lambda ip: ip.addr("add", index=101, address="fd09::1", prefixlen=64, flags=2),
    ),
    "neighbour_v4": (
        rtnetlink.neighbour(101, "10.9.0.2", FAR),
        lambda ip: neighbour_by_pyroute2(ip, "10.9.0.2", socket.AF_INET),
    ),
    "neighbour_v6": (rtnetlink.neighbour(101, "fd09::2", FAR), lambda ip: neighbour_by_pyroute2(ip, "fd09::2", V6)),
    "local_route_v4": (
        rtnetlink.local_route(101, "10.9.0.1"),
        lambda ip: local_route_by_pyroute2(ip, "10.9.0.1/32", socket.AF_INET),
    ),
    "local_route_v6": (
        rtnetlink.local_route(101, "fd09::1"),
        lambda ip: local_route_by_pyroute2(ip, "fd09::1/128", V6),
    ),
    "route": (
        rtnetlink.route(101, "127.0.0.0", 8, "10.9.0.2", "10.9.0.1"),
        lambda ip: ip.route("add", dst="127.0.0.0/8", gateway="10.9.0.2", oif=101, prefsrc="10.9.0.1"),
    ),
    "question": (rtnetlink.question(101), lambda ip: ip.link("get", index=101)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_request_is_what_pyroute2_writes(name: str) -> None:
    """Octet by octet; only it numbers them, and says from which port they come."""
    ours, write = PAIRS[name]
    with IPBatch() as batch:
        write(batch)
        theirs = bytes(batch.batch)

    assert numberless(ours) == numberless(theirs)


def numberless(request: bytes) -> tuple[tuple[int, ...], bytes]:
    length, kind, flags, _, _ = netlink.HEADER.unpack_from(request)
    return (length, kind, flags), request[netlink.HEADER.size :]


def test_all_is_carried_out_in_order(carry_out: CarryOut) -> None:
    """An address can be given to a link that the request before it has made, and a question sees both."""
    requests = rtnetlink.up(LOOPBACK) + rtnetlink.address(LOOPBACK, "10.9.9.9", 24) + rtnetlink.question(LOOPBACK)

    (link,) = carry_out(requests)

    assert rtnetlink.runs(link)


def test_a_link_that_is_down_does_not_run(carry_out: CarryOut) -> None:
    """So a lab whose link has no carrier is not taken for a silent one."""
    (link,) = carry_out(rtnetlink.question(LOOPBACK))

    assert not rtnetlink.runs(link)


def test_what_the_kernel_refuses_is_told_by_its_number(carry_out: CarryOut) -> None:
    """The requests around it do not hide it."""
    requests = rtnetlink.up(LOOPBACK) + rtnetlink.address(77, "10.9.9.9", 24) + rtnetlink.up(LOOPBACK)

    with pytest.raises(OSError, match="rtnetlink") as refused:
        carry_out(requests)

    assert refused.value.errno == errno.ENODEV
