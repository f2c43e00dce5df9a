"""The link: two network namespaces, the veth pair that joins them, and a wire that is silent but for the test.

Four properties make a capture of this link evidence:
offloads are off, so a captured segment has the size and the checksum that it has on a wire;
neighbours are fixed and address resolution is off, so no frame is there that the test did not cause (no ARP, neighbour
discovery, router solicitation or multicast report: an interface without ARP joins no solicited-node group);
duplicate address detection is off, so IPv6 works at once;
congestion control is reno and buffers grow to 1 MiB, whatever the host prefers: what is in flight is the same
everywhere, and never more than the ring of the tap holds.

A subject that binds the loopback address is reached over the same link: 127.0.0.0/8 is routed to the far end, which
takes it in (route_localnet). The near end keeps its own loopback down, or the kernel would refuse the answers as its
own. The loser was to capture on the loopback of the far namespace: no real checksums there, and no relay between.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from pyroute2 import IPRoute

from harness.lab import kernel
from harness.lab.ends import FAR, MIDDLE, MTU, NEAR, RAW, End

LARGEST_BUFFER = 1 << 20  # octets that the kernel may give a connection to send or to receive, for itself to choose
_LOOPBACK = 1  # the index of every namespace's loopback interface
_LOCAL_TABLE = 255  # RT_TABLE_LOCAL
_PERMANENT = 0x80  # NUD_PERMANENT: a neighbour that is never asked for
_NODAD = 0x02  # IFA_F_NODAD
_SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, STSO, SGSO, SGRO (linux/ethtool.h)
_OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)


_SYSCTLS = {
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/addr_gen_mode": "1",  # no link-local address, so nothing to announce
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv4/conf/default/route_localnet": "1",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ip_unprivileged_port_start": "0",  # a subject may bind port 7
    "net/ipv4/tcp_congestion_control": "reno",
    "net/ipv4/tcp_rmem": f"4096 131072 {LARGEST_BUFFER}",
    "net/ipv4/tcp_wmem": f"4096 16384 {LARGEST_BUFFER}",
}


class Wiring:
    """The namespaces of one test, alive as long as their descriptors are open."""

    def __init__(self, *, relayed: bool = False) -> None:
        """Build both ends and join them, through a third namespace if `relayed`; the caller is moved about."""
        self.near = self.far = self.middle = -1
        try:
            self.near = _namespace()
            self.far = _namespace()
            if relayed:
                self.middle = _middle()
            self._join()
        except BaseException:
            self.close()
            raise

    def _join(self) -> None:
        with contextlib.ExitStack() as stack:
            near, far = (stack.enter_context(_netlink(namespace)) for namespace in (self.near, self.far))
            if self.middle < 0:
                near.link("add", kind="veth", **_named(NEAR), peer={**_named(FAR), "net_ns_fd": self.far})
            else:
                middle = stack.enter_context(_netlink(self.middle))
                near.link("add", kind="veth", **_named(NEAR), peer={"ifname": MIDDLE[0], "net_ns_fd": self.middle})
                middle.link("add", kind="veth", ifname=MIDDLE[1], peer={**_named(FAR), "net_ns_fd": self.far})
                between = [_bring_up(middle, name) for name in MIDDLE]
            near_end = _bring_up(near, NEAR.name)
            far_end = _bring_up(far, FAR.name)
            far.link("set", index=_LOOPBACK, state="up")
            _address(near, near_end, NEAR, toward=FAR)
            _address(far, far_end, FAR, toward=NEAR)
            near.route("add", dst="127.0.0.0/8", gateway=FAR.v4[0], oif=near_end, prefsrc=NEAR.v4[0])
            _see_carrier(near, near_end)
            _see_carrier(far, far_end)
            if self.middle >= 0:
                for end in between:
                    _see_carrier(middle, end)
        for namespace, names in ((self.near, (NEAR.name,)), (self.middle, MIDDLE), (self.far, (FAR.name,))):
            if namespace >= 0:
                kernel.setns(namespace)
                for name in names:
                    offloads_off(name)

    def close(self) -> None:
        """Let the namespaces go; the kernel takes interfaces and sockets with them."""
        for name in ("near", "far", "middle"):
            if (descriptor := getattr(self, name)) >= 0:
                os.close(descriptor)
                setattr(self, name, -1)


def _namespace() -> int:
    descriptor = kernel.new_network()
    for name, value in _SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)
    return descriptor


def _middle() -> int:
    descriptor = kernel.new_network()
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    return descriptor


def _named(end: End) -> dict[str, object]:
    return {"ifname": end.name, "address": end.mac}


def _netlink(namespace: int) -> IPRoute:
    kernel.setns(namespace)
    return IPRoute()


def _bring_up(ip: IPRoute, name: str) -> int:
    index: int = ip.link_lookup(ifname=name)[0]
    ip.link("set", index=index, state="up", arp=False, mtu=MTU)
    return index


def _address(ip: IPRoute, index: int, end: End, *, toward: End) -> None:
    for address in end.v4:
        ip.addr("add", index=index, address=address, prefixlen=24)
    for address in end.v6:
        ip.addr("add", index=index, address=address, prefixlen=64, flags=_NODAD)
        # The kernel takes in what is sent to a new IPv6 address only when a work queue has run, be it 300 ms later on
        # a busy machine; until then a datagram is lost. This route does the same at once.
        ip.route("add", dst=f"{address}/128", oif=index, table=_LOCAL_TABLE, type="local", family=socket.AF_INET6)
    neighbours = [*toward.v4, *toward.v6]
    if toward is NEAR:
        neighbours += [*RAW.v4, *RAW.v6]
    for address in neighbours:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        ip.neigh("add", dst=address, lladdr=toward.mac, ifindex=index, state=_PERMANENT, family=family)


def _see_carrier(ip: IPRoute, index: int) -> None:
    # An end that was up before its peer gets its carrier later, from a work queue, and drops what is sent until then.
    # Asked about one link, the kernel first does what the queue holds for it.
    state = ip.link("get", index=index)[0].get_attr("IFLA_OPERSTATE")
    if state != "UP":
        raise OSError(errno.ENETDOWN, f"an end of the link has no carrier: its state is {state}")


def offloads_off(name: str) -> None:
    """Switch segmentation, receive and checksum offloads off for the interface `name` of this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP", name.encode(), value.buffer_info()[0]))
