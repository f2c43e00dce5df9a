"""A socket filter for taps on a shared interface: the subject's port, ICMP, fragments and the fence's markers.

In a lab every frame is the test's own. On a host's loopback the rest of the machine talks too, and would fill the ring.
The filter is a classic BPF program (packet(7)), which any user may attach to a packet socket that it holds.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from harness.lab.fence import PROTOCOL as MARKERS

if TYPE_CHECKING:
    import socket

# Instructions by their codes (linux/bpf_common.h): load half-word or octet, absolute or behind X; jumps; return.
_LDH, _LDB, _LDH_X, _LDX_HEADER = 0x28, 0x30, 0x48, 0xB1
_JEQ, _JSET, _RET = 0x15, 0x45, 0x06
_SOL_SOCKET, _SO_ATTACH_FILTER = 1, 26
_WHOLE = 0x40000  # octets

_ICMP, _TCP, _UDP, _FRAGMENT, _ICMPV6 = 1, 6, 17, 44, 58


def program(port: int) -> list[tuple[int, int, int, int]]:
    """The instructions: code, skip if true, skip if false, operand. The last two are accept and reject."""
    labelled: list[tuple[str, int, str, str, int]] = [
        # label, code, where to if true, where to if false ("" is the next), operand
        ("", _LDH, "", "", 12),
        ("", _JEQ, "v4", "", 0x0800),
        ("", _JEQ, "v6", "reject", 0x86DD),
        ("v4", _LDB, "", "", 23),
        ("", _JEQ, "accept", "", MARKERS),
        ("", _JEQ, "accept", "", _ICMP),
        ("", _JEQ, "v4 ports", "", _TCP),
        ("", _JEQ, "v4 ports", "reject", _UDP),
        ("v4 ports", _LDH, "", "", 20),
        ("", _JSET, "accept", "", 0x1FFF),  # a later fragment: its ports are in the first one
        ("", _LDX_HEADER, "", "", 14),
        ("", _LDH_X, "", "", 14),
        ("", _JEQ, "accept", "", port),
        ("", _LDH_X, "", "", 16),
        ("", _JEQ, "accept", "reject", port),
        ("v6", _LDB, "", "", 20),
        ("", _JEQ, "accept", "", _ICMPV6),
        ("", _JEQ, "accept", "", _FRAGMENT),
        ("", _JEQ, "v6 ports", "", _TCP),
        ("", _JEQ, "v6 ports", "reject", _UDP),
        ("v6 ports", _LDH, "", "", 54),
        ("", _JEQ, "accept", "", port),
        ("", _LDH, "", "", 56),
        ("", _JEQ, "accept", "reject", port),
        ("accept", _RET, "", "", _WHOLE),
        ("reject", _RET, "", "", 0),
    ]
    places = {label: place for place, (label, *_) in enumerate(labelled) if label}
    return [
        (code, places[yes] - place - 1 if yes else 0, places[no] - place - 1 if no else 0, operand)
        for place, (_, code, yes, no, operand) in enumerate(labelled)
    ]


def attach(packet: socket.socket, port: int) -> None:
    """Let only frames of this port, ICMP, fragments and markers reach the packet socket."""
    instructions = program(port)
    octets = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    packet.setsockopt(_SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(instructions), ctypes.addressof(octets)))
