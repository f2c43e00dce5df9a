"""The manner of a subject, as its first start has shown it: whether it answers at all, how fast, and whether it rests.

It is seen once, before any test is planned, with all the patience that there is. What is seen then, no test has to find
out again by waiting: so a run costs about the same whoever is judged, and says the same every time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.budget import RESPONSE, Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

LATE = 0.3  # seconds for one session, from which on a subject is a slow one
SHARE = 10.0  # seconds that a test gets for a number of sessions with a slow one
ENOUGH = 30.0  # seconds that a test of one gets that is slow or never rests: several times what a test takes else
MOST = 75.0  # seconds that any other test gets, on a machine however loaded; pytest-timeout, the net, gives 120
IN_FRONT = 8  # clients that a test may have sent to a queue before the one that it waits for
RESTLESS = 1.0  # seconds that count for a session with one that never rests: each of its clients may cost the next more
WORK = 1.0  # seconds of processor time in which a subject that never rests would have done what there is to do


@dataclass(frozen=True)
class Manner:
    """What the first start has shown of a subject in one family."""

    fails: str = ""  # how its basic exchange fails, in one line; empty where it does not, or was not tried
    accepts: bool = True  # whether its clients are accepted, be they answered or not
    seconds: float = 0.0  # that one session took
    rests: bool = True  # whether it waits without using the processor when nothing is to be done
    ends: bool = True  # whether the stream of a client that has closed its direction ends, in whatever way

    @property
    def is_slow(self) -> bool:
        """Whether each client takes so long that a test may not get through with all of its clients."""
        return self.seconds >= LATE

    @property
    def words(self) -> str:
        """Why a test that waits for such a subject may not come to its end; empty where that is not known."""
        if self.is_slow:
            return f"one session of the server takes {self.seconds:.1f} s"
        return "" if self.rests else "the server uses the processor all the time"

    @property
    def sleeps(self) -> float:
        """Seconds for which a slow one may be idle, beyond all patience, before the turn of a client has come.

        One that serves its clients one by one may have those before it that have left, each as long as the others.
        """
        return IN_FRONT * self.seconds if self.is_slow else 0.0

    def as_record(self) -> dict[str, Any]:
        """The manner as a JSON object, for the workers of a run."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Manner:
        """The manner that `as_record` wrote."""
        return cls(**record)


class Course:
    """What all waits of one test have in common: when the test has to be over, and what they have seen meanwhile."""

    def __init__(self, manner: Manner, more: float = 0.0, *, endless: bool = False) -> None:
        """Begin a test, which itself waits for `more` seconds; one that is `endless` has a time of its own."""
        seconds = MOST if not manner.words else ENOUGH
        self.deadline = None if endless else Deadline(seconds + more)
        self.why = manner.words
        self.endless_streams = not manner.ends
        self._each = manner.seconds if manner.is_slow else 0.0 if manner.rests else RESTLESS
        self.restless = not manner.rests  # set, too, when the subject has been busy for the whole of a budget
        self._busy = 0.0  # seconds of waits in which it did not come to rest, one after the other

    def affordable(self, wanted: int, least: int = 1) -> int:
        """How many of the sessions that are wanted a test has time for: all, unless the subject is slow or restless."""
        return min(wanted, max(least, int(SHARE / self._each))) if self._each else wanted

    def note_rest(self, rested: bool, seconds: float) -> None:
        """Take down whether a wait of so many seconds has seen the subject at rest."""
        self._busy = 0.0 if rested else self._busy + seconds
        self.restless |= self._busy >= RESPONSE

    @property
    def over(self) -> str:
        """Why the test has to end now, in one line; empty as long as it has time."""
        if self.deadline is None or not self.deadline.over:
            return ""
        why = f": {self.why}" if self.why else ""
        return f"needs a server that is through within {self.deadline}{why}"
