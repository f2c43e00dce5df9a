"""Sends datagrams as fast as plain Python can, once a line arrives on standard input; prints how long that took."""

from __future__ import annotations

import socket
import sys
import time


def main(host: str, port: str, count: str, size: str) -> None:
    """Send `count` datagrams of `size` octets."""
    octets = bytes(int(size))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.connect((host, int(port)))
        print("ready", flush=True)
        sys.stdin.readline()
        send, started = sending.send, time.monotonic()
        for _ in range(int(count)):
            send(octets)
        print(time.monotonic() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
