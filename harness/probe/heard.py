"""What was heard of an answer, in words: what it should be, what came, and where in the text or expression that stops.

An answer that nothing is said of but that it comes has no such place.
"""

from __future__ import annotations

from harness.analysis.stopped import where_match_stops, where_octets_part
from harness.payload import count, said
from harness.subject.answer import PERHAPS, SOMETHING, Answer, Exactly, Matching


def expected(answer: Answer) -> str:
    """What should come."""
    return "octets" if answer in {SOMETHING, PERHAPS} else str(answer)


def heard(answer: Answer, came: bytes, why: str = "") -> str:
    """What came instead, `why` nothing followed, and where the match stopped."""
    if not came:
        return f"no octet came{why}"
    place = where(answer, came)
    return f"{said(came)} ({count(len(came))}){why}{f'; {place}' if place else ''}"


def where(answer: Answer, came: bytes) -> str:
    """Where the match of this answer stops; empty where it does not, or where that says nothing."""
    match answer:
        case Exactly(octets):
            return where_octets_part(octets, came)
        case Matching(regex) if answer not in {SOMETHING, PERHAPS}:
            return str(where_match_stops(regex, came) or "")
        case _:
            return ""
