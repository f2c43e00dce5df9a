"""Bringing a connection to a state: the moves of RFC 9293 figure 5, made by a raw peer and the told server.

    peer = brought_to(State.CLOSING, serve(slow_timers=True), raw)

The peer acknowledges nothing by itself from then on, so that the connection stays where it is; what the kernel says of
its own sockets is the control that it got there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.subject.state import State
from harness.verdict import Inconclusive
from harness.wire.pattern import got

if TYPE_CHECKING:
    from harness.probe.raw import Raw
    from harness.probe.raw_peer import RawPeer
    from harness.subject.process import Subject

_OURS_FIRST = {State.CLOSE_WAIT, State.LAST_ACK}
_THEIRS = {State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT}
_OURS_BEHIND = {State.CLOSING, State.TIME_WAIT}


def states(subject: Subject) -> list[State]:
    """In which states the subject's connections are."""
    return [State(entry["state"]) for entry in subject.sockets()]


def brought_to(state: State, subject: Subject, raw: Raw) -> RawPeer:
    """A peer whose connection is in this state of the subject's end; accepted, unless that is SYN-RECEIVED.

    Raises Inconclusive where the kernel says that it is in another state.
    """
    peer = _opened(state, subject, raw)
    if state in _OURS_FIRST:
        peer.send("FIN ACK")
        peer.expect(got.segment(ack=peer.snd_nxt))
    if state in _THEIRS:
        subject.tell("half-close")
        peer.expect(got.FIN)
    if state in {State.FIN_WAIT_2, State.TIME_WAIT}:
        peer.acknowledge()
    if state in _OURS_BEHIND:
        peer.send("FIN ACK")  # which acknowledges the subject's in TIME-WAIT alone
        peer.expect(got.segment(ack=peer.snd_nxt))
    peer.expect_silence()
    if (found := states(subject)) != [state]:
        raise Inconclusive(f"the subject was to be in {state}, and is in {', '.join(map(str, found)) or 'none'}")
    return peer


def _opened(state: State, subject: Subject, raw: Raw) -> RawPeer:
    if state is State.SYN_RECEIVED:
        peer = raw.peer(subject)
        peer.send_syn()
        peer.expect(got.SYN_ACK)
    else:
        peer = raw.connect(subject)
        subject.tell("accept")
    peer.acknowledges = False
    return peer
