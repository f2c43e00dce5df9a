"""The ring as a scapy socket: `sniff(opened_socket=ScapySocket(tap))` and all else of scapy works on what was captured.

For those who ask: no test that passes waits for a dissection, which takes a hundred times as long as our own decoder.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from harness.capture.scapy_layers import (
    DLT_EN10MB,
    IP,
    MTU,
    Ether,
    IPv6,
    PacketList,
    Raw,
    Scapy_Exception,
    SuperSocket,
    compile_filter,
)
from harness.capture.scapy_layers import sniff as scapys_sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.capture.scapy_layers import Packet
    from harness.wire.frame import Frame


Packets: TypeAlias = PacketList  # for those who may not import scapy


class Source(Protocol):
    """Where frames come from: a tap, those of both ends, or a capture that is over."""

    frames: list[Frame]

    def fileno(self) -> int:
        """The descriptor that is readable when a frame has arrived."""

    def collect(self) -> int:
        """Take what has arrived into `frames`; EOFError where nothing can arrive any more."""


class Recorded:
    """A capture that is over: no frame comes any more."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        """Give these frames."""
        self.frames = list(frames)

    def fileno(self) -> int:
        """None: there is nothing to wait for."""
        return -1

    def collect(self) -> int:
        """EOFError: what has been recorded is all."""
        raise EOFError


class ScapySocket(SuperSocket):  # type: ignore[misc] # scapy is untyped here
    """Gives the frames of a tap to scapy, from the first one on, each once; it sends nothing."""

    desc = "reads the frames that a sockspec tap has captured"

    def __init__(self, tap: Source, wanted: Callable[[Frame], bool] | None = None) -> None:
        """Read from `tap`, which goes on belonging to its owner, the frames that are `wanted`."""
        self._tap = tap
        self._given = 0
        self._wanted = wanted
        self._over = False
        self.ins = self.outs = tap
        self.promisc = True
        self.closed = False

    def fileno(self) -> int:
        """The descriptor that is readable when a frame has arrived."""
        return self._tap.fileno()

    def recv_raw(self, x: int = MTU) -> tuple[Any, bytes | None, float | None]:
        """The next frame: scapy's class for it, its octets, and the kernel's time in seconds.

        EOFError, by which scapy knows the end of a file, behind the last frame of a capture that is over.
        """
        if not self._waiting():
            if self._over:
                raise EOFError
            return None, None, None
        frame = self._tap.frames[self._given]
        self._given += 1
        return Ether, frame.octets[:x], frame.time_ns / 1e9

    def send(self, x: Packet) -> int:
        """Refused: a tap listens."""
        raise OSError("a tap sends nothing")

    def close(self) -> None:
        """Stop reading; the tap stays open."""
        self.closed = True

    @staticmethod
    def select(sockets: list[Any], remain: float | None = None) -> list[Any]:
        """Those of the sockets that have a frame to give, waiting up to `remain` seconds for one."""
        ready = [one for one in sockets if isinstance(one, ScapySocket) and (one._waiting() or one._over)]
        if ready or not sockets:
            return ready
        return list(SuperSocket.select(sockets, remain))

    def _waiting(self) -> bool:
        """Whether a frame is there to give; those that are not wanted are passed over."""
        try:
            self._tap.collect()
        except EOFError:
            self._over = True
        frames = self._tap.frames
        if self._wanted is not None:
            while self._given < len(frames) and not self._wanted(frames[self._given]):
                self._given += 1
        return self._given < len(frames)


def dissected(frames: Iterable[Frame]) -> list[Packet]:
    """The frames as scapy reads them through its socket; what it cannot read at all is one layer of raw octets."""
    recorded = Recorded(frames)
    socket = ScapySocket(recorded)
    return [socket.recv() or Raw() for _ in recorded.frames]


def packets(frames: Iterable[Frame]) -> Packets:
    """The frames, of a flow or of a whole capture, as scapy packets with the kernel's times."""
    made = []
    for frame in frames:
        packet = Ether(frame.octets)
        packet.time = frame.time_ns / 1e9
        packet.wirelen = frame.size
        made.append(packet)
    return PacketList(made, "capture")


def sniff(tap: Source, *, filter: str = "", **arguments: Any) -> Packets:  # noqa: A002 - the word is scapy's
    """Give the packets that scapy's own sniff finds on a tap, from its first frame on.

    ValueError where the BPF `filter` cannot be compiled.

    What a function given as an argument raises is raised here: scapy would warn, and give what it has up to then.
    """
    raised: list[Exception] = []
    for name in ("lfilter", "prn", "stop_filter"):
        if arguments.get(name) is not None:
            arguments[name] = _heard(arguments[name], raised)
    found = scapys_sniff(opened_socket=ScapySocket(tap, bpf(filter) if filter else None), **arguments)
    if raised:
        raise raised[0]
    return found


def _heard(function: Callable[[Packet], Any], raised: list[Exception]) -> Callable[[Packet], Any]:
    def called(packet: Packet) -> Any:
        try:
            return function(packet)
        except Exception as error:
            raised.append(error)
            raise EOFError from error  # at which scapy ends without a word

    return called


def bpf(expression: str) -> Callable[[Frame], bool]:
    """Whether a frame passes a filter in the language of pcap-filter(7), as libpcap compiles and runs it."""
    try:
        program = compile_filter(expression, linktype=DLT_EN10MB)
    except ImportError:
        raise ValueError(
            "filter= is compiled by libpcap, which this machine lacks (Debian: libpcap0.8); lfilter= does without"
        ) from None
    except Scapy_Exception as refused:
        raise ValueError(str(refused)) from None
    pcap = importlib.import_module("scapy.libs.winpcapy")  # scapy's hold on libpcap
    run = pcap._lib.pcap_offline_filter  # which scapy itself takes on Windows alone

    def passes(frame: Frame) -> bool:
        header = pcap.pcap_pkthdr(caplen=len(frame.octets), len=frame.size)
        octets = (ctypes.c_ubyte * len(frame.octets)).from_buffer_copy(frame.octets)
        return bool(run(ctypes.byref(program), ctypes.byref(header), octets))

    return passes


def on_the_wire(packet: Packet, source: str, destination: str, hosts: Sequence[Sequence[str]]) -> bytes:
    """The octets of a frame for a packet of scapy's: what it does not say of stations and addresses is said here.

    `hosts` has source and destination of IPv4, and those of IPv6. A packet that begins with Ether stays as it is; one
    without IP gets a header of IPv4.
    """
    if isinstance(packet, Ether):
        return bytes(packet)
    packet = packet.copy()
    if not isinstance(packet, IP | IPv6):
        packet = IP() / packet
    said = hosts[0] if isinstance(packet, IP) else hosts[1]
    for name, address in zip(("src", "dst"), said, strict=True):
        if name not in packet.fields:
            setattr(packet, name, address)
    return bytes(Ether(src=source, dst=destination) / packet)
