"""The contract of an echo server over UDP (RFC 862): one datagram in, the same datagram out, to whoever sent it.

UDP promises neither order nor delivery; the link loses nothing, and a burst here fits any receive buffer, so what is
missing was lost by the server. In which order it answers is its own affair.

To show that something does not come, a further datagram is sent, whose answer must: the fence. One that is not answered
misses what every datagram is owed, one answer, and not what was waited for.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    LARGEST_V4,
    LARGEST_V6,
    TEXTS,
    Inconclusive,
    Mismatch,
    NotApplicable,
    checksum_fault,
    control,
    covers,
    got,
    quote,
    requires,
    sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.suite import DatagramClient, Probe, Raw, Received, Subject, Wire

PROFILES = ("udp-echo",)

BURST = 50  # datagrams of up to a few hundred octets: the kernel counts less than 1 KiB for each, and holds 208 KiB
FENCE = b"the fence: what must be answered. " * 3  # long, so that a server that pads answers it all the same

ONE_EACH = "rfc862:udp/one-in-one-out"

LARGEST = {"v4": LARGEST_V4, "v6": LARGEST_V6}
SIZES = (1, 255, 256, 257, 512, 1000, 1023, 1024, 1472, 1473, 2048, 4096, 8192)


def serves(subject: Subject, probe: Probe) -> None:
    """The control of those tests that do something bad to the server: before it, it serves."""
    with control():
        probe.datagrams(subject).expect_back(FENCE)


@contextlib.contextmanager
def answered(behind: str) -> Iterator[None]:
    """What is sent in the block is owed an answer like every datagram: one that does not come is missed as such."""
    try:
        yield
    except Mismatch as missed:
        expected = f"each datagram is answered, also one {behind}: {missed.expected}"
        with requires(ONE_EACH):
            raise Mismatch(expected, missed.actual, details=missed.details) from missed


def beside(client: DatagramClient, behind: str) -> list[Received]:
    """What comes beside the answer to the fence, which is sent now."""
    with answered(behind):
        return client.beside(FENCE)


def expect_nothing_more(client: DatagramClient) -> None:
    """Claim that nothing comes to this client but the answer to the fence."""
    if extra := beside(client, "behind those before"):
        raise Mismatch("no further datagram", f"{len(extra)} more: {extra[0]}")


def ruler(size: int) -> bytes:
    """Octets that tell their own offset, eight at a time: a message that quotes them can be read."""
    return b"".join(b"%7d." % offset for offset in range(0, size, 8))[:size]


def numbered(count: int, name: str = "datagram") -> list[bytes]:
    """Datagrams of which no two are alike, nor of the same size."""
    return [f"{name} {number:03}".encode() + b"." * number for number in range(count)]


def expect_each_once(client: DatagramClient, wanted: list[bytes]) -> None:
    """Claim that these datagrams come, in any order, each once, and no other."""
    came: list[bytes] = []
    while len(came) < len(wanted) and (answer := client.receive()) is not None:
        came.append(answer.octets)
    if len(came) == len(wanted):
        came += [extra.octets for extra in beside(client, "behind the burst")]
    missing, extra = Counter(wanted) - Counter(came), Counter(came) - Counter(wanted)
    if missing or extra:
        said = [f"{missing.total()} of them did not come, first {quote(min(missing))}"] if missing else []
        said += [f"{extra.total()} came that should not, first {quote(min(extra))}"] if extra else []
        raise Mismatch(f"{len(wanted)} datagrams are answered, each with itself and once", "; ".join(said))


@covers("rfc862:udp/same-data")
def check_every_size_comes_back(subject: Subject, probe: Probe) -> None:
    """A datagram comes back as it was sent, be it one octet, one frame, or several fragments."""
    client = probe.datagrams(subject)

    for size in SIZES:
        client.expect_back(ruler(size))


@covers("rfc862:udp/same-data")
def check_octets_come_back_unchanged(subject: Subject, probe: Probe) -> None:
    """Octets are octets, and no word means anything: NUL, line ends and what is no UTF-8 come back as they went."""
    client = probe.datagrams(subject)

    for text in TEXTS:
        client.expect_back(text)


@covers("rfc862:udp/same-data")
def check_short_one_after_a_long_one(subject: Subject, probe: Probe) -> None:
    """A short datagram comes back without a tail of the longer one before it."""
    client = probe.datagrams(subject)

    client.expect_back(ruler(1000))
    client.expect_back(b"short")
    client.expect_back(b"s")


@covers("rfc862:udp/empty", "rfc862:udp/one-in-one-out")
def check_empty_datagram_comes_back_empty(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A datagram without data is a datagram: it is answered by one, and the service goes on."""
    serves(subject, probe)
    client = probe.datagrams(subject)

    client.expect_back(b"")
    with answered("behind an empty one"):
        client.expect_back(b"still there?")

    wire.flow(client).expect(sent.datagram(size=0), got.datagram(size=0), sent.datagram(), got.datagram())


@covers("rfc862:udp/maximal", "rfc768:Fields/at-most-65507-octets-over-ipv4", "rfc862:udp/one-in-one-out")
def check_largest_datagram_comes_back(subject: Subject, probe: Probe) -> None:
    """The largest datagram that there can be comes back whole, and the service goes on."""
    serves(subject, probe)
    client = probe.datagrams(subject)

    client.expect_back(ruler(LARGEST[subject.family]))
    with answered("behind the largest"):
        client.expect_back(b"still there?")


@covers("rfc862:udp/no-truncation", "rfc862:udp/one-in-one-out")
def check_no_answer_is_cut_short(subject: Subject, probe: Probe) -> None:
    """A datagram that is too large for the server is not answered with a part of itself: whole, or not at all."""
    serves(subject, probe)
    client = probe.datagrams(subject)
    asked: set[bytes] = set()  # a server that forks may answer the one before when the fence is back already

    # A buffer for the largest datagram of IPv4 is too short for that of IPv6.
    for size in (513, 1025, 1501, 2049, 4097, 8193, 9217, 16_385, 32_769, LARGEST[subject.family]):
        asked.add(whole := ruler(size))
        client.send(whole)
        for answer in beside(client, f"behind one of {size} octets"):
            if answer.octets not in asked:
                raise Mismatch(f"a datagram of {size} octets comes back whole, or not at all", str(answer))


@covers("rfc862:udp/fragments", "rfc1122:3.3.2/reassembly-up-to-emtu-r")
def check_fragments_are_put_together(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A datagram larger than the MTU arrives in fragments, is answered whole, and the answer is one datagram."""
    serves(subject, probe)
    client = probe.datagrams(subject)

    client.expect_back(ruler(4000))

    asked, answered = wire.flow(client).expect_only(sent.datagram(size=4000), got.datagram(size=4000))
    if len(asked.packet.frames) == 1:
        raise NotApplicable("needs a link that 4000 octets cross in fragments: start the subject with --serve")
    assert len(answered.packet.frames) > 1, "the answer goes in fragments too"


@covers("rfc862:udp/one-in-one-out")
def check_one_answer_for_one_datagram(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A datagram draws one answer, and not a second one before the next is answered."""
    client = probe.datagrams(subject)

    client.expect_back(b"one")
    expect_nothing_more(client)

    wire.flow(client).expect_only(sent.datagram(), got.datagram(), sent.datagram(), got.datagram())


@covers("rfc862:udp/one-in-one-out")
def check_every_one_of_many_is_answered(subject: Subject, probe: Probe) -> None:
    """Three hundred datagrams, each sent when the one before was answered, are all answered, alike or not.

    And so is another client's behind them: one that asks so much does not have the server for itself.
    """
    client, other = probe.datagrams(subject), probe.datagrams(subject)

    for datagram in numbered(100):
        for _ in range(3):
            client.expect_back(datagram)

    other.expect_back(b"and me?")


@covers("rfc862:udp/one-in-one-out")
def check_burst_is_answered_one_by_one(subject: Subject, probe: Probe) -> None:
    """Fifty datagrams that wait together when the server looks are answered one by one: none joined, none lost."""
    client = probe.datagrams(subject)
    burst = [datagram for datagram in numbered(BURST // 2) for _ in range(2)]  # one that comes again is no mistake

    with subject.paused():
        for datagram in burst:
            client.send(datagram)

    expect_each_once(client, burst)


@covers("rfc862:udp/one-in-one-out", "rfc862:udp/no-loop")
def check_datagram_from_its_own_port_draws_one_answer_at_most(
    subject: Subject, probe: Probe, raw: Raw, wire: Wire
) -> None:
    """A datagram that comes from another host's port of the same number, as an echo service's would, starts no loop."""
    serves(subject, probe)
    twin = raw.datagrams(subject, port=subject.address.port)

    twin.send(b"echo, echo")
    with answered("behind one from its own port"):
        probe.datagrams(subject).expect_back(FENCE)

    if len(answers := wire.flow(twin).pick(got.datagram())) > 1:
        raise Mismatch("one answer, or none", f"{len(answers)} came")


@covers("rfc862:udp/reply-address")
def check_answer_comes_from_the_port_asked(subject: Subject, probe: Probe, wire: Wire) -> None:
    """The answer comes from the address and port that were asked, and goes to the port that asked."""
    client = probe.datagrams(subject)

    client.expect_back(b"who are you?")

    wire.flow(client).expect_only(sent.datagram(), got.datagram())


@covers("rfc862:udp/reply-source", "rfc1122:4.1.3.5/reply-source-equals-request-destination")
def check_answer_comes_from_the_address_asked(subject: Subject, probe: Probe) -> None:
    """A server bound to every address of its host answers from the one that was asked, whichever the route prefers."""
    addresses = subject.addresses()
    if len(addresses) == 1:
        raise NotApplicable(f"the subject is bound to {subject.address.host} alone")

    for address in addresses:
        probe.datagrams(subject, to=address).expect_back(b"who are you?")


@covers("rfc862:udp/to-the-sender-only", "rfc862:udp/one-in-one-out")
def check_every_client_gets_its_own(subject: Subject, probe: Probe) -> None:
    """Clients that take turns, in either order, each get what they sent, and nothing of the others."""
    serves(subject, probe)
    everybody = [probe.datagrams(subject) for _ in range(20)]

    for number in range(3):
        for name, client in list(enumerate(everybody))[:: 1 if number % 2 else -1]:
            client.expect_back(f"client {name} says {number}".encode())

    for client in everybody:
        expect_nothing_more(client)


@covers("rfc862:udp/to-the-sender-only", "rfc862:udp/one-in-one-out")
def check_clients_of_the_same_port_number_are_told_apart(subject: Subject, probe: Probe, raw: Raw, wire: Wire) -> None:
    """A client is an address and a port: two hosts whose clients have the same port number each get their own."""
    serves(subject, probe)
    client = probe.datagrams(subject)
    twin = raw.datagrams(subject, port=client.near.port)

    client.expect_back(b"from one host")
    twin.send(b"from another")
    wire.wait_for(twin, got.datagram(b"from another"))
    client.expect_back(b"from one host again")

    expect_nothing_more(client)


@covers("rfc862:udp/to-the-sender-only", "rfc862:udp/one-in-one-out")
def check_every_client_of_a_burst_gets_its_own(subject: Subject, probe: Probe) -> None:
    """Datagrams of five clients, mixed, that wait together when the server looks are answered each to its sender."""
    serves(subject, probe)
    everybody = [probe.datagrams(subject) for _ in range(5)]
    texts = [numbered(5, f"client {name} says") for name in range(5)]

    with subject.paused():
        for number in range(5):
            for client, own in zip(everybody, texts, strict=True):
                client.send(own[number])

    for client, own in zip(everybody, texts, strict=True):
        expect_each_once(client, own)


@covers("rfc862:udp/survives-icmp", "house:any/survives")
def check_survives_an_answer_that_nobody_hears(subject: Subject, probe: Probe, wire: Wire) -> None:
    """The answer to a client that is gone draws ICMP port unreachable; the server goes on answering all the same."""
    serves(subject, probe)
    gone = probe.datagrams(subject)
    other = probe.datagrams(subject)

    with subject.paused():
        gone.send(b"never heard")
        gone.close()
    with control():
        wire.wait_for(gone, got.datagram())
    if not wire.flow(gone).pick(sent.icmp("port unreachable")):
        raise Inconclusive("our kernel did not answer with ICMP port unreachable")

    for number in range(3):
        other.expect_back(f"still there {number}?".encode())


@covers("rfc862:udp/no-amplification", "rfc8085:6/no-reflection-amplification", "rfc862:udp/one-in-one-out")
@pytest.mark.parametrize("size", [1, 13])
def check_no_answer_is_larger_than_its_request(subject: Subject, probe: Probe, size: int) -> None:
    """A small datagram draws no larger one: a server that pads is a weapon for who forges his address."""
    serves(subject, probe)
    client = probe.datagrams(subject)

    client.send(ruler(size))

    for answer in beside(client, f"behind one of {size} octet{'s' if size > 1 else ''}"):
        if len(answer.octets) > size:
            raise Mismatch(f"no answer is larger than the {size} octets that asked", str(answer))


@covers("rfc8085:3.4/applications-keep-checksums-enabled", "rfc1122:4.1.3.4/checksumming-on-by-default")
def check_answers_have_a_checksum(subject: Subject, probe: Probe, wire: Wire) -> None:
    """An answer has a checksum: a field of 0 would say that there is none."""
    client = probe.datagrams(subject)
    with control():
        client.expect_back(b"hello")

    answer = wire.flow(client).expect(got.datagram()).packet

    assert answer.checksum != 0, "the answer has a checksum"


@covers("rfc768:Fields/computed-zero-sent-as-all-ones")
def check_checksum_of_zero_goes_as_all_ones(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A checksum that comes to 0 is sent as 0xFFFF, because 0 says that there is none."""
    client = probe.datagrams(subject)
    with control():
        client.expect_back(b"\0\0")
    step = wire.flow(client).expect(got.datagram())
    checksum = step.packet.checksum
    if checksum == 0:
        raise NotApplicable("the subject sends no checksums")
    if checksum_fault(wire.frame(step.number)):  # on a loopback interface nobody computes any
        raise NotApplicable("needs a link on which checksums are computed: start the subject with --serve")

    # Two octets of data that are the complement of all the rest: the checksum over all comes to 0.
    client.expect_back(checksum.to_bytes(2, "big"))

    answer = wire.flow(client).pick(got.datagram())[-1].packet
    assert answer.checksum == 0xFFFF, "the checksum field holds 0xFFFF"


@covers("rfc862:udp/ignores-corrupt", "rfc862:udp/one-in-one-out")
def check_damaged_datagrams_are_not_answered(subject: Subject, probe: Probe, raw: Raw, wire: Wire) -> None:
    """A wrong checksum, or a length that cannot be, draws no answer; the whole datagram behind them draws one."""
    serves(subject, probe)
    end = raw.datagrams(subject)

    end.send(b"damaged on the way", checksum=end.checksum_of(b"damaged on the way") ^ 0x0101)
    for length in (7, 1000):
        end.send(b"of no such length", length=length)
    end.send(FENCE)

    with answered("behind those that are damaged"):
        wire.wait_for(end, got.datagram(FENCE))
    if extra := [step.data for step in wire.flow(end).pick(got.datagram()) if step.data != FENCE]:
        raise Mismatch("what is damaged draws no answer", f"{quote(extra[0])} came back")
    wire.flow(end).expect_no(got.icmp())
