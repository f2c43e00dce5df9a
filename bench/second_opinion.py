"""What scapy's second opinion costs: to load it, to read a frame twice, a finding, and a sample of a capture.

A finding is one that cites as many frames as are read at most. It is told in processor time: the rest is waiting for
neighbours. The packets are those of `decode.py`, and scapy's mere dissection stands beside them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.decode import frames
from bench.machine import Figure, milliseconds, table
from harness.capture.scapy_socket import dissected
from harness.capture.second_opinion import differences, sample
from harness.plugin.cross_checking import CITED_MOST
from harness.wire.decode import decode

if TYPE_CHECKING:
    from harness.wire.frame import Frame

_LOADED = "import time, harness.capture.second_opinion; t = time.process_time(); {}; print(time.process_time() - t)"
_IMPORT = "import harness.capture.scapy_reading, harness.capture.scapy_socket"
_LOADS, _RUNS, _SAMPLE = 5, 40, 12


def main() -> None:
    """Print the table."""
    figures = [Figure("scapy loaded, once a process", milliseconds(tuple(_load() for _ in range(_LOADS))), "ms")]
    for family in ("v4", "v6"):
        transfer = frames(200, family)
        packets = decode(transfer)
        figures.append(Figure(f"peer: scapy dissects {CITED_MOST} frames, IP{family}", _dissection(transfer), "ms"))
        for what, chosen, goal in (
            ("a frame of data", packets[:1], ""),
            (f"a finding that cites {CITED_MOST} frames", packets[:CITED_MOST], "≤ 5"),
            (f"a sample of {_SAMPLE} packets", sample(packets, _SAMPLE), ""),
        ):
            differences(chosen, transfer)
            times = []
            for _ in range(_RUNS):
                before = time.process_time()
                if differences(chosen, transfer):
                    raise RuntimeError("scapy reads a frame otherwise")
                times.append(time.process_time() - before)
            figures.append(Figure(f"{what}, IP{family}", milliseconds(tuple(times)), "ms", goal))
    table("second opinion, processor time", figures)


def _dissection(transfer: list[Frame]) -> tuple[float, ...]:
    times = []
    for _ in range(_RUNS):
        before = time.process_time()
        dissected(transfer[:CITED_MOST])
        times.append(time.process_time() - before)
    return milliseconds(tuple(times))


def _load() -> float:
    done = subprocess.run([sys.executable, "-c", _LOADED.format(_IMPORT)], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
