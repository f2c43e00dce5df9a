"""Faults: what a rule decides, told as a table, and what the relay makes of it on a real link."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from harness.capture.recording import Wire
from harness.lab.ends import FAR
from harness.lab.fates import Drop, Duplicate, Hold
from harness.lab.faults import Fault, Met, deciding
from harness.lab.near import LabNear
from harness.lab.relay import Relay
from harness.tests.wire.craft import Talk
from harness.verdict import Inconclusive
from harness.wire.pattern import got, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab


def conversation() -> list[Met]:
    """SYN, SYN ACK, ACK, five octets from the subject, its FIN."""
    talk = Talk()
    talk.handshake()
    talk.got("ACK PSH", seq=1, ack=1, data=b"hello")
    talk.got("FIN ACK", seq=6, ack=1)
    steps = talk.flow().steps
    return [Met(frame.sent, frame.number, frame.octets, step) for frame, step in zip(talk.frames, steps, strict=True)]


def test_a_rule_speaks_of_what_it_matches_and_of_nothing_else() -> None:
    fault = Fault(got.FIN, Drop())

    decided = [deciding([fault], met) for met in conversation()]

    assert decided == [None, None, None, None, fault]
    assert fault.hits == 1


def test_a_rule_acts_no_more_often_than_it_may() -> None:
    fault = Fault(got.ACK, Drop(), times=1)

    decided = [deciding([fault], met) for met in conversation()]

    assert decided == [None, fault, None, None, None], "the first that matches"


def test_the_first_rule_that_speaks_decides() -> None:
    first, second = Fault(got.data(), Duplicate()), Fault(got.ACK, Drop())

    decided = [deciding([first, second], met) for met in conversation()]

    assert decided == [None, second, None, first, second]
    assert (first.hits, second.hits) == (1, 2)


def test_waiting_for_a_rule_ends_when_it_has_acted() -> None:
    fault = Fault(got.FIN, Hold(), times=1)
    frames = conversation()
    other = threading.Thread(target=lambda: [deciding([fault], met) for met in frames])

    other.start()
    fault.wait()
    other.join()

    assert fault.hits == 1


def test_a_rule_that_never_acts_is_inconclusive_in_words() -> None:
    with pytest.raises(
        Inconclusive, match=r"^the fault never acted within 0.01 s: got FIN is dropped, 2 times at most$"
    ):
        Fault(got.FIN, Drop(), times=2).wait(seconds=0.01)


# -- on a link --------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay(lab_process: Lab) -> Iterator[Relay]:
    """The relay of a link of its own."""
    near, far = (socket.socket(fileno=end) for end in lab_process.ask("build", relayed=True).descriptors)
    with Relay(near, far, lambda: lab_process.ask("fence", nonce=0)) as relay:
        yield relay
    lab_process.ask("clear")


@pytest.fixture
def ends(lab_process: Lab, relay: Relay) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A UDP socket on each side; the near one sends to the far one."""
    with (
        lab_process.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near,
        lab_process.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((FAR.v4[0], 7))
        far.settimeout(5)
        near.connect((FAR.v4[0], 7))
        yield near, far


def arrived(lab: Lab, far: socket.socket) -> list[bytes]:
    """What has arrived when a fence has passed."""
    lab.ask("fence", nonce=1)
    far.setblocking(False)
    found = []
    while True:
        try:
            found.append(far.recv(100))
        except BlockingIOError:
            return found


def test_without_a_rule_everything_passes_in_order(lab_process: Lab, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends

    for number in range(50):
        near.send(b"%d" % number)

    assert arrived(lab_process, far) == [b"%d" % number for number in range(50)]


def test_a_dropped_datagram_does_not_arrive(
    lab_process: Lab, relay: Relay, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends

    with relay.drop(sent.datagram(b"two"), times=1) as fault:
        for octets in (b"one", b"two", b"two", b"three"):
            near.send(octets)

    assert fault.hits == 1
    assert arrived(lab_process, far) == [b"one", b"two", b"three"]


def test_a_duplicated_datagram_arrives_twice(
    lab_process: Lab, relay: Relay, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends

    with relay.duplicate(sent.datagram(b"two")):
        for octets in (b"one", b"two", b"three"):
            near.send(octets)
        lab_process.ask("fence", nonce=2)

    assert arrived(lab_process, far) == [b"one", b"two", b"two", b"three"]


def test_held_datagrams_go_on_in_their_order_when_the_block_ends(
    lab_process: Lab, relay: Relay, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends

    with relay.hold(sent.datagram(size=1), times=2):
        for octets in (b"a", b"long", b"b", b"c"):
            near.send(octets)
        lab_process.ask("fence", nonce=2)

    assert arrived(lab_process, far) == [b"long", b"c", b"a", b"b"]


def test_what_was_sent_before_a_rule_is_not_touched_by_it(
    lab_process: Lab, relay: Relay, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    for _ in range(200):
        near.send(b"before")

    with relay.drop(sent.datagram(), times=1):
        near.send(b"after")

    assert arrived(lab_process, far) == [b"before"] * 200


def test_two_held_rules_each_release_their_own(
    lab_process: Lab, relay: Relay, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends

    with relay.hold(sent.datagram(b"a")):
        with relay.hold(sent.datagram(b"b")):
            for octets in (b"a", b"b", b"c"):
                near.send(octets)
            lab_process.ask("fence", nonce=2)
        near.send(b"d")
        lab_process.ask("fence", nonce=3)

    assert arrived(lab_process, far) == [b"c", b"b", b"d", b"a"]


def test_the_capture_of_a_relayed_link_is_whole(lab_process: Lab, relay: Relay) -> None:
    assert relay
    with Wire(LabNear(lab_process)) as wire:
        assert wire.capture().certificate.holds


def test_the_rule_of_a_wrong_stack_is_asked_before_any_fault(lab_process: Lab) -> None:
    """What it drops no fault sees, what it doubles arrives twice."""
    near_end, far_end = (socket.socket(fileno=end) for end in lab_process.ask("build", relayed=True).descriptors)

    def rule(octets: bytes, sent: bool) -> list[tuple[bytes, bool]]:
        times = 0 if sent and b"lost" in octets else 2 if sent and b"double" in octets else 1
        return [(octets, sent)] * times

    with (
        Relay(near_end, far_end, lambda: lab_process.ask("fence", nonce=0), rule),
        lab_process.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near,
        lab_process.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((FAR.v4[0], 7))
        near.connect((FAR.v4[0], 7))

        for text in (b"first", b"lost", b"double"):
            near.send(text)

        assert arrived(lab_process, far) == [b"first", b"double", b"double"]
    lab_process.ask("clear")
