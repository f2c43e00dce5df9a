"""A log done again, on paper: which frames go on, and when, if frames come as captured and meet the fates of a log.

Pure: the same frames and acts give the same passages. So what a capture shows at the far side of the relay can be held
against what its log says; `Relay.replay` does the same on a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from harness.lab.acts import Act, Deed, Passage
from harness.lab.corrupted import corrupted
from harness.lab.fates import Corrupt, Delay, Drop, Duplicate, Hold, Narrow, Reorder
from harness.lab.faults import Fault, Met
from harness.lab.late import Late
from harness.lab.narrowed import narrowed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.lab.late import Waiting
    from harness.wire.frame import Frame

_NS: Final = 1e9


def replayed(frames: Iterable[Frame], acts: Iterable[Act]) -> list[Passage]:
    """What passes, in the order of time; `frames` are those that came to the relay, from either side.

    Places are counted from the first frame of each side. ValueError where a frame is not the one that the log has met.
    """
    way = _Ways({(act.sent, act.place): act for act in acts})
    for frame in sorted(frames, key=lambda frame: frame.time_ns):
        way.come(frame)
    way.pass_late(None)
    return way.passages


class _Ways:
    """Both directions."""

    def __init__(self, acts: dict[tuple[bool, int], Act]) -> None:
        self.passages: list[Passage] = []
        self._acts = acts
        self._places = {True: 0, False: 0}
        self._late = {True: Late(), False: Late()}

    def come(self, frame: Frame) -> None:
        """Deal with the next frame."""
        self.pass_late(frame.time_ns)
        self._places[frame.sent] += 1
        act = self._acts.get((frame.sent, self._places[frame.sent]))
        if act is None:
            self._put(frame.octets, frame.sent, frame.time_ns)
        elif act.octets != frame.octets:
            raise ValueError(f"{frame} is not the frame that act {act.number} was about: {act.what}")
        else:
            self._deal(frame, act)

    def pass_late(self, until_ns: int | None) -> None:
        """Let go on what is due; None: all that still waits."""
        for sent, late in self._late.items():
            for waiting in late.due(float("inf") if until_ns is None else until_ns / _NS):
                self._put(waiting.octets, sent, round(waiting.due * _NS))

    def _deal(self, frame: Frame, act: Act) -> None:
        octets, sent, now_ns = frame.octets, frame.sent, frame.time_ns
        deed = Deed(Met(sent, act.place, octets), Fault(None, act.fate), now_ns)
        match act.fate:
            case Drop():
                pass
            case Duplicate():
                self._put(octets, sent, now_ns)
                self._put(octets, sent, now_ns)
            case Hold():
                if act.passed:  # when its rule let go of it only the log knows
                    self._late[sent].add(deed, act.passed[0].time_ns / _NS)
            case Delay(by):
                self._late[sent].add(deed, now_ns / _NS + by)
            case Reorder(within):
                self._late[sent].add_behind(deed, now_ns / _NS + within)
            case Corrupt(bit, mended):
                self._put(corrupted(octets, bit, mended=mended), sent, now_ns)
            case Narrow(mtu, silent):
                outcome = narrowed(octets, mtu, silent=silent)
                for piece in outcome.onward:
                    self._put(piece, sent, now_ns)
                if outcome.back is not None:
                    self._put(outcome.back, not sent, now_ns)
            case other:
                assert_never(other)

    def _put(self, octets: bytes, sent: bool, time_ns: int) -> None:
        self.passages.append(Passage(time_ns, sent, octets))
        if self._late[sent].wants_another:
            overtaken: list[Waiting] = self._late[sent].overtaken()
            self.passages += [Passage(time_ns, sent, waiting.octets) for waiting in overtaken]
