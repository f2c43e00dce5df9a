"""What a test may answer, and how several answers become one.

The verdicts are those of ISO 9646 with TTCN-3's `error`. They are ordered and only worsen: the worst finding wins and
nothing edits a verdict afterwards. *Not applicable* stands outside the order: what could not be tried was not judged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verdict(Enum):
    """The answer of one test or one finding."""

    NOT_APPLICABLE = "not applicable"
    PASS = "pass"
    DEVIATION = "deviation"  # a SHOULD was missed: told, but it fails only under --strict
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Place in the order not applicable < pass < deviation < inconclusive < fail < error."""
        return _ORDER.index(self)

    def __str__(self) -> str:
        return self.value


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that counts among several; of none, not applicable."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.NOT_APPLICABLE)


class Level(Enum):
    """The strength of a requirement (RFC 2119). DOCUMENTED is a promise in lower case: a broken one fails."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    DOCUMENTED = "documented"

    @property
    def missed(self) -> Verdict:
        """What a test answers that governs a requirement of this level and did not see it met."""
        return {Level.SHOULD: Verdict.DEVIATION, Level.MAY: Verdict.PASS}.get(self, Verdict.FAIL)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """One observation with its verdict, fit for a record: strings and numbers only."""

    verdict: Verdict
    requirement: str  # id in the catalogue, "" where the harness speaks of itself
    expected: str
    actual: str
    text: str = ""  # the whole message, several lines, as a person should read it

    def __str__(self) -> str:
        return f"{self.verdict} {self.requirement}: expected {self.expected}; actual {self.actual}"

    def as_record(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self) | {"verdict": self.verdict.value}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Finding:
        """The finding that `as_record` wrote."""
        return cls(**{**record, "verdict": Verdict(record["verdict"])})


class Mismatch(AssertionError):  # noqa: N818 - named for what was seen, as the failure text prints it
    """The subject did not do what was required: fail.

    `expected` and `actual` are one line each; `details` are further lines, indented by the caller as they should show.
    """

    def __init__(self, expected: str, actual: str, *, details: Iterable[str] = ()) -> None:
        self.expected = expected
        self.actual = actual
        self.details = tuple(details)
        super().__init__("\n".join((f"expected: {expected}", f"actual:   {actual}", *self.details)))


class SubjectEnded(Mismatch):
    """A claim about a subject that goes on, of one that has ended.

    Where it may end this is missed as any other claim. Where it may not, its end is the finding, and not this claim: of
    a process that is not there it says nothing.
    """


class WireMismatch(Mismatch):
    """The same, claimed of a flow: the details show the segments, `cited` says why each frame that matters does.

    It prints what is missing first: the reader of a capture looks for a place before a rule.
    """

    def __init__(
        self, expected: str, actual: str, *, details: Iterable[str] = (), cited: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(expected, actual, details=details)
        self.cited = dict(cited or {})  # frame number -> reason, which becomes the comment of that packet

    def __str__(self) -> str:
        return "\n".join((self.actual, f"expected: {self.expected}", *self.details))


class Inconclusive(Exception):  # noqa: N818 - a verdict, not an error
    """We could not see, or could not provoke, what had to be judged."""


class Broken(Exception):  # noqa: N818 - named for what it tells
    """Something of ours is not as it has to be, whatever the test wanted to show: error."""


class NotApplicable(Exception):  # noqa: N818 - a verdict, not an error
    """It could not be tried here; the message is the reason."""
