"""All that we take of scapy: the one module that imports it, and only for those who ask.

It takes a third of a second to load, so no test that passes waits for it. As it is, it would keep what it has loaded in
the user's home (~/.cache/scapy, 3 MB), and gain nothing by it; a run leaves nothing outside its report.
"""

from __future__ import annotations

import scapy.main

scapy.main.SCAPY_CACHE_FOLDER = None

from scapy.arch.common import compile_filter
from scapy.data import DLT_EN10MB, MTU
from scapy.error import Scapy_Exception
from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
    _IPv6ExtHdr,
)
from scapy.layers.l2 import Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import NoPayload, Packet, Padding, Raw, fuzz
from scapy.plist import PacketList
from scapy.sendrecv import sniff
from scapy.supersocket import SuperSocket
from scapy.utils import checksum

IPv6Extension = _IPv6ExtHdr

__all__ = [
    "DLT_EN10MB",
    "ICMP",
    "IP",
    "MTU",
    "TCP",
    "UDP",
    "Dot1AD",
    "Dot1Q",
    "Dot3",
    "Ether",
    "ICMPv6DestUnreach",
    "ICMPv6PacketTooBig",
    "ICMPv6ParamProblem",
    "ICMPv6TimeExceeded",
    "IPv6",
    "IPv6ExtHdrFragment",
    "IPv6ExtHdrRouting",
    "IPv6Extension",
    "NoPayload",
    "Packet",
    "PacketList",
    "Padding",
    "Raw",
    "Scapy_Exception",
    "SuperSocket",
    "checksum",
    "compile_filter",
    "fuzz",
    "in4_chksum",
    "sniff",
]
