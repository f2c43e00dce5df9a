"""Puts frames on a wire, as fast as plain Python can, by a packet socket that it was given.

Standard input has the frames, each behind its size, then a line for each burst: which frame is the first, and how many.
Each burst is answered by a line with how long it took.
"""

from __future__ import annotations

import socket
import sys
import time


def main(descriptor: str, count: str) -> None:
    """Take over the socket, read so many frames, and wait for the word."""
    given = sys.stdin.buffer
    frames = [given.read(int.from_bytes(given.read(2), "big")) for _ in range(int(count))]
    with socket.socket(fileno=int(descriptor)) as wire:
        print("ready", flush=True)
        for line in given:
            first, number = map(int, line.split())
            send, started = wire.send, time.monotonic()
            for frame in frames[first : first + number]:
                send(frame)
            print(time.monotonic() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
