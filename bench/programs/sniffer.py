"""The peer: scapy's AsyncSniffer on an interface until a line arrives on standard input; prints how many it kept."""

from __future__ import annotations

import sys

from scapy.arch.linux import L2ListenSocket
from scapy.sendrecv import AsyncSniffer


def main(interface: str) -> None:
    """Capture, drain what the kernel still holds, and count."""
    listening = L2ListenSocket(iface=interface)
    sniffer = AsyncSniffer(opened_socket=listening, started_callback=lambda: print("ready", flush=True))
    sniffer.start()
    sys.stdin.readline()
    while L2ListenSocket.select([listening], 0.1):  # whoever reads first: what is left is the sniffer's
        sniffer.join(0.1)
    print(len(sniffer.stop()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
