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
import functools
import os
import socket
import struct

from harness.lab import kernel, proc, rtnetlink
from harness.lab.ends import FAR, MIDDLE, MTU, NEAR, RAW, USERSPACE, End

LARGEST_BUFFER = 1 << 20  # octets that the kernel may give a connection to send or to receive, for itself to choose
TIME_WAITS = ("net/ipv4/tcp_max_tw_buckets", "65536")  # how many connections in TIME-WAIT a namespace may have
_LOOPBACK = 1  # the index of every namespace's loopback interface
_PEER = 0x7EE75EED  # stands in a written request for the descriptor of a namespace, which is known when it is sent
_SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, STSO, SGSO, SGRO (linux/ethtool.h)
_OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)


_SETTINGS = {  # by their folder
    "/proc/sys/net/ipv4": {
        "conf/default/route_localnet": "1",
        "conf/default/rp_filter": "0",
        "icmp_ratelimit": "0",  # each datagram to a closed port is told of, be it the tenth in a row
        "ip_unprivileged_port_start": "0",  # a subject may bind port 7
        "tcp_congestion_control": "reno",
        "tcp_rmem": f"4096 131072 {LARGEST_BUFFER}",
        "tcp_wmem": f"4096 16384 {LARGEST_BUFFER}",
        "tcp_max_syn_backlog": "2048",
        TIME_WAITS[0].removeprefix("net/ipv4/"): TIME_WAITS[1],
    },
    "/proc/sys/net/ipv6": {
        "conf/default/accept_dad": "0",
        "conf/default/accept_ra": "0",
        "conf/default/addr_gen_mode": "1",  # no link-local address, so nothing to announce
        "conf/default/router_solicitations": "0",
        "icmp/ratelimit": "0",
    },
}
# The machine's namespaces share one table of connections, of a size that its memory decides, and who lists those of one
# namespace walks through all of it: 0.4 ms, ten times a second for each subject that is waited for. Since Linux 6.1 a
# namespace can have a table of its own, if the one that makes it says so. What depends on its size is set above.
_OWN_TABLE = "/proc/sys/net/ipv4/tcp_child_ehash_entries"
_TABLE = "4096"  # buckets


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
        if self.middle < 0:
            self._order(self.near, _pair(NEAR, FAR), peer=self.far)
        else:
            self._order(self.near, _pair(NEAR, MIDDLE[0]), peer=self.middle)
            self._order(self.middle, _pair(MIDDLE[1], FAR), peer=self.far)
            self._order(self.middle, _relay())
        self._order(self.near, _end(NEAR, FAR))
        self._order(self.far, _end(FAR, NEAR))
        # An end that was up before its peer gets its carrier later, from a work queue, and drops what is sent until
        # then. Asked about its links, the kernel first does what the queue holds for them.
        ends = {self.near: (NEAR,), self.middle: MIDDLE, self.far: (FAR,)}
        for namespace, here in ends.items():
            if namespace < 0:
                continue
            if not all(map(rtnetlink.runs, self._order(namespace, _looks(here)))):
                raise OSError(errno.ENETDOWN, "an end of the link has no carrier")
            for end in here:
                offloads(end.name, on=False)

    @staticmethod
    def _order(namespace: int, requests: bytes, *, peer: int | None = None) -> list[bytes]:
        """Carry requests out in a namespace; the new link's other end goes to the namespace `peer`."""
        kernel.setns(namespace)
        if peer is not None:
            requests = requests.replace(_descriptor(_PEER), _descriptor(peer))
        return rtnetlink.carry_out(requests)

    def close(self) -> None:
        """Let the namespaces go; the kernel takes interfaces and sockets with them."""
        for name in ("near", "far", "middle"):
            if (descriptor := getattr(self, name)) >= 0:
                os.close(descriptor)
                setattr(self, name, -1)


def _namespace() -> int:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        proc.write(_OWN_TABLE, _TABLE)
    descriptor = kernel.new_network()
    for path, settings in _SETTINGS.items():
        # Each namespace has folders of its own under these names, dead ones too for a while, and the kernel looks
        # through all of them (proc_sys_compare()): once for a folder is enough.
        folder = os.open(path, os.O_PATH)
        try:
            for name, value in settings.items():
                proc.write(name, value, below=folder)
        finally:
            os.close(folder)
    return descriptor


def _middle() -> int:
    descriptor = kernel.new_network()
    proc.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    return descriptor


def _descriptor(number: int) -> bytes:
    return struct.pack("=I", number)


@functools.cache
def _pair(here: End, there: End) -> bytes:
    """Two interfaces that are joined, the other one in another namespace."""
    return rtnetlink.veth(here.index, here.name, here.mac, (there.index, there.name, there.mac), _PEER)


@functools.cache
def _end(end: End, toward: End) -> bytes:
    """All that makes an interface an end of the link, where no frame is that nobody sent."""
    requests = [rtnetlink.up_without_arp(end.index, MTU)]
    requests += [rtnetlink.address(end.index, host, 24) for host in end.v4]
    # Of addresses between which RFC 6724 does not decide the kernel takes the one that it was given last as a source.
    # That shall be the first, as for IPv4: else a server bound to all of them answers from where nobody has asked it.
    for host in reversed(end.v6):
        requests.append(rtnetlink.address(end.index, host, 64))
        # The kernel takes in what is sent to a new IPv6 address only when a work queue has run, be it 300 ms later on a
        # busy machine; until then a datagram is lost. This route does the same at once.
        requests.append(rtnetlink.local_route(end.index, host))
    beside = RAW if toward is NEAR else USERSPACE
    others = (*toward.v4, *toward.v6, *beside.v4, *beside.v6)
    requests += [rtnetlink.neighbour(end.index, host, toward.mac) for host in others]
    if end is NEAR:
        requests.append(rtnetlink.route(end.index, "127.0.0.0", 8, FAR.v4[0], end.v4[0]))
    else:
        requests.append(rtnetlink.up(_LOOPBACK))
    return b"".join(requests)


@functools.cache
def _relay() -> bytes:
    """The two ends between which a relay forwards."""
    return b"".join(rtnetlink.up_without_arp(end.index, MTU) for end in MIDDLE)


@functools.cache
def _looks(ends: tuple[End, ...]) -> bytes:
    """A question about each of these ends."""
    return b"".join(rtnetlink.question(end.index) for end in ends)


def offloads(name: str, *, on: bool) -> None:
    """Switch segmentation, receive and checksum offloads on or off for the interface `name` of this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, on))
            fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP", name.encode(), value.buffer_info()[0]))
