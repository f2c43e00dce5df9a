"""A server that speaks first does not wait for its client to speak, not even for a while.

Some wait for the client's first word, and speak when it has not come in time: by a timer of their own, or with the
listener told to hand out connections on which something has come (TCP_DEFER_ACCEPT of tcp(7), accept filters of BSD),
which is meant for servers whose clients speak first. The client hears its greeting in the end, seconds late.

How fast a server is, is its own affair; it may look up names, or take its time for everybody. So two clients are
compared, one that says nothing and one that speaks at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import Mismatch, NotApplicable, control, covers

if TYPE_CHECKING:
    from harness.suite import Session

PROFILES = ("greeting", "qotd", "daytime", "time", "chargen", "protocol")

LATER = 0.7  # seconds: less than the shortest time after which a kernel gives up waiting for the client's word (1 s)
ROUNDS = 3  # one of them alone may have been late for another reason


@covers("house:any/greeting-waits-for-nothing")
def check_silent_client_hears_as_soon_as_a_hasty_one(session: Session) -> None:
    """A client that says nothing gets its greeting as soon as one that speaks when it has just connected."""
    words = session.words() or b"hello\r\n"
    silent: list[float] = []
    hasty: list[float] = []

    while len(silent) < ROUNDS:
        with control():
            silent.append(session.greeting_delay())
        try:
            hasty.append(session.greeting_delay(words))
        except Mismatch as missed:
            reason = f"needs a server that greets a client though it has spoken already: {missed.actual}"
            raise NotApplicable(reason) from None
        if silent[-1] < hasty[-1] + LATER:
            return

    raise Mismatch(
        "a client that says nothing gets its greeting as soon as one that speaks at once",
        f"it came after {_listed(silent)} to clients that said nothing, after {_listed(hasty)} to clients that spoke",
    )


def _listed(delays: list[float]) -> str:
    return ", ".join(f"{seconds:.3f} s" for seconds in delays)
