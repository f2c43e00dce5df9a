"""How fast a capture becomes a pcapng file and is read back, beside scapy's writer and reader."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scapy.layers.l2 import Ether
from scapy.utils import PcapNgReader, PcapNgWriter

from bench.decode import frames
from bench.machine import Figure, repeated, table
from harness.capture import pcapng

COUNT = 100_000
_SAMPLE = 5_000  # for scapy


def main() -> None:
    """Print the table."""
    transfer = tuple(frames(COUNT, "v4"))
    capture = pcapng.Capture(transfer, interface="near0", comment="bench", received=COUNT, dropped=0)
    octets = pcapng.write(capture)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "wire.pcapng")
        written = repeated(lambda: place.write_bytes(pcapng.write(capture)), 5, before=1)
        reading = repeated(lambda: pcapng.read(place.read_bytes()), 5, before=1)
        packets = [Ether(frame.octets) for frame in transfer[:_SAMPLE]]
        peer = Path(folder, "scapy.pcapng")
        peer_written = repeated(lambda: _scapy_write(peer, packets), 5, before=1)
        peer_read = repeated(lambda: _scapy_read(peer), 5, before=1)
    size = len(octets) / 1e6
    table(
        "pcapng",
        [
            Figure("written", _rates(COUNT, written), "frames/s"),
            Figure("… as octets", _rates(size, written), "MB/s"),
            Figure("read", _rates(COUNT, reading), "frames/s"),
            Figure("peer: scapy's PcapNgWriter", _rates(_SAMPLE, peer_written), "frames/s"),
            Figure("peer: scapy's PcapNgReader, which dissects", _rates(_SAMPLE, peer_read), "frames/s"),
        ],
    )


def _scapy_write(place: Path, packets: list[Ether]) -> None:
    with PcapNgWriter(str(place)) as writer:
        writer.write(packets)


def _scapy_read(place: Path) -> None:
    with PcapNgReader(str(place)) as reader:
        reader.read_all()


def _rates(count: float, seconds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(count / one for one in seconds)


if __name__ == "__main__":
    main()
