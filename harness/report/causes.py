"""One cause, one finding: what a run's findings follow from, told from its rows alone.

A server that has crashed misses whatever is asked of it from then on. Each row keeps its findings; here they are folded
under what they follow from, and by these rules only, lest a second fault be hidden by the first:

- A subject that ended, though it should go on serving, explains in *that row* what tells of an end: a refusal, a reset,
  octets that did not come. Octets that came and were wrong, a leak, a wait in which it was alive: these it does not.
- One that ends with exit 0 after its first client explains as well that no other is served at the same time.
- One that never closed any connection in the whole run explains each wait for an end of stream, and that it holds one
  socket for each client that left.
- A basic exchange that fails explains what was not tried because of it.
- One that serves a client at a time misses what is asked of several together: no cause, but one deviation.

What belongs together is told by exception and place. Connections that the other end gave up are one cause for each
function, since read and write notice the same thing in different lines.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from harness.report.complaints import WORST_FIRST, complaints
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.record.process import ProcessRecord
    from harness.record.result import Result
    from harness.verdict import Finding

SURVIVES = "house:any/survives"
_GOES_ON = "the subject goes on serving"  # what the finding of its end expects
BASIC_EXCHANGE = "house:any/basic-exchange"
_PLACES = 4  # of one cause that are told
_BLOCKED = "the basic exchange fails"  # begins the reason of a test that was not tried for it
_TOGETHER = frozenset(  # what a server misses that serves one client at a time
    (
        "rfc862:tcp/clients-independent",
        "rfc862:tcp/idle-client-does-not-block",
        "rfc862:tcp/slow-reader-does-not-block",
        "house:any/idle-client-does-not-block",
        "house:any/many-clients",
    )
)
_HOLDS = frozenset(("house:any/no-close-wait", "house:any/no-descriptor-leak"))  # what it misses that never closes

# The words of the probe for what a client sees of a server that is not there, and for what it cannot see then.
_GONE = re.compile(
    r"\brefused \(RST\)|\breset \(RST\)|\bend of stream \(FIN\)|\bno (?:octet|datagram|answer)\b|\bnone came\b"
    r"|\bha[sd] ended\b|\bexit \d|\bkilled by\b|\bnobody (?:is|has)\b|\bonly the first\b|\bends after\b"
)
_ALIVE = re.compile(
    r"\bthe subject (?:was idle|was still busy|never rests)|\bdiffers at offset|\bmore and more|\bno end of stream"
)
_NO_END = re.compile(
    r"^(?:the control failed: .*; )?no end of stream and no reset\b.*\bthe subject (?:was idle|never rests)", re.DOTALL
)
_WAITS = re.compile(r"^no octet came; the subject was idle|^1 accepted, \d+ left in the queue|^refused|\breset \(RST\)")
_EACH = re.compile(r"^(\d+) clients more")
_SIGPIPE = "send() to a client that has gone raises SIGPIPE: ignore the signal, or send with MSG_NOSIGNAL"


class Kind(Enum):
    """What sort of thing a cause is."""

    CRASH = "crash"
    ENDS = "ends"  # with exit 0, when it has served
    NEVER_CLOSES = "never closes"
    BASIC_EXCHANGE = "basic exchange"
    ONE_AT_A_TIME = "one at a time"


Seen = tuple["Result", "Finding"]


@dataclass(frozen=True)
class Cause:
    """What several findings follow from."""

    kind: Kind
    subject: str
    title: str
    seen: tuple[Seen, ...]  # the findings that it explains, that of the cause itself among them
    places: tuple[str, ...] = ()  # where in the subject's own files, the most frequent first
    status: str = ""  # how the process ended
    said: str = ""  # what to know of it, in one line
    blocked: tuple[Result, ...] = ()  # the tests that were not applicable for it

    @cached_property
    def rows(self) -> tuple[Result, ...]:
        """The rows of which it explains something."""
        return tuple({row.test: row for row, _ in self.seen}.values())

    @property
    def first(self) -> Result:
        """The row that is shown for all: the shortest story, of those that have the cause's own finding if any has."""
        own = [row for row, finding in self.seen if finding.requirement == SURVIVES]
        return min(own or self.rows, key=lambda row: row.process.clients if row.process is not None else 0)

    @cached_property
    def counts(self) -> Counter[Verdict]:
        """The rows of which it explains something, by their verdicts."""
        return Counter(row.verdict for row in self.rows)

    @property
    def verdict(self) -> Verdict:
        """The worst that it explains, in the order in which a reader wants to know of it."""
        return min((finding.verdict for _, finding in self.seen), key=WORST_FIRST.index)

    @property
    def families(self) -> tuple[str, ...]:
        """The families in which it was seen."""
        return tuple(sorted({row.family for row in self.rows} - {""}))

    @property
    def label(self) -> str:
        """What a reader takes it for: a cause, or a deviation where it explains nothing worse."""
        return "deviation" if self.verdict is Verdict.DEVIATION else "cause"

    @property
    def where(self) -> str:
        """`server.py:8, in serve; server.py:9, in serve`."""
        rest = len(self.places) - _PLACES
        return "; ".join((*self.places[:_PLACES], *([f"and {rest} more"] if rest > 0 else [])))

    @cached_property
    def requirements(self) -> Counter[str]:
        """What was missed for it, with the number of rows."""
        missed = dict.fromkeys((row.test, one.requirement) for row, one in self.seen)
        return Counter(requirement for _, requirement in missed if requirement)

    @property
    def explains(self) -> str:
        """`11 results in 8 tests`."""
        said = f"{_plural(len(self.rows), 'result')} in {_plural(_tests(self.seen), 'test')}"
        return said + (f", and {_plural(len(self.blocked), 'test')} not applicable" if self.blocked else "")

    def __str__(self) -> str:
        return f"{self.title} (at {self.places[0]})" if self.places else self.title


def causes(rows: Sequence[Result]) -> tuple[Cause, ...]:
    """The causes of what the rows tell, those that explain most first; one that is a deviation only comes last."""
    subjects: dict[str, list[Result]] = {}
    for row in rows:
        subjects.setdefault(row.subject, []).append(row)
    found = [cause for own in subjects.values() for cause in _of_one_subject(own)]
    return tuple(sorted(found, key=lambda cause: (cause.verdict is Verdict.DEVIATION, -len(cause.rows))))


def _of_one_subject(rows: list[Result]) -> list[Cause]:
    left = [(row, finding) for row in rows if not row.known for finding in complaints(row)]
    found: list[Cause] = []
    for tell in (_ends, _basic_exchange, _never_closes, _one_at_a_time):
        told = tell(rows, left)
        explained = {(row.test, finding) for cause in told for row, finding in cause.seen}
        left = [(row, finding) for row, finding in left if (row.test, finding) not in explained]
        found += [_with_blocked(cause, rows) for cause in told]
    return found


def _with_blocked(cause: Cause, rows: Sequence[Result]) -> Cause:
    """The cause with the tests that were not tried since the basic exchange failed for it."""
    families = {row.family for row, finding in cause.seen if finding.requirement == BASIC_EXCHANGE}
    blocked = (row for row in rows if row.verdict is Verdict.NOT_APPLICABLE and row.reason.startswith(_BLOCKED))
    return replace(cause, blocked=tuple(row for row in blocked if row.family in families))


# -- a subject that ended ---------------------------------------------------------------------------------------------


def _ends(rows: Sequence[Result], left: Sequence[Seen]) -> list[Cause]:
    """A cause for each way in which it ended though it should not.

    Where a test lets it end, an exception of its own may tell why it did; one test alone then says so by itself.
    """
    groups: dict[tuple[str, ...], list[Seen]] = {}
    for row, finding in left:
        if (process := row.process) is None or not process.ended or not _tells_of_an_end(finding):
            continue
        if process.crashed or process.trace is not None:
            groups.setdefault(_way(process), []).append((row, finding))
    return [
        _ended(seen, left) if way == _SERVED else _crash(seen)
        for way, seen in groups.items()
        if _tests(seen) > 1 or any(row.process.crashed for row, _ in seen if row.process is not None)
    ]


def _tests(seen: Sequence[Seen]) -> int:
    """In how many tests these findings are, whatever their variants."""
    return len({row.behaviour.partition("[")[0] for row, _ in seen})


_SERVED = ("exit 0",)


def _way(process: ProcessRecord) -> tuple[str, ...]:
    """What two crashes have in common that are one."""
    if (trace := process.trace) is None:
        return _SERVED if process.status == "exit 0" else (process.status, re.sub(r"\d+", "0", process.last))
    if trace.is_lost_connection:
        # Node.js tells the place in its own library only, another one for each way to notice it.
        own = not trace.file.startswith("node:")
        return ("lost connection", trace.file, trace.function) if own else ("lost connection", trace.language)
    return (trace.exception, trace.file, str(trace.line))


def _tells_of_an_end(finding: Finding) -> bool:
    said = finding.actual or finding.text
    own = (finding.requirement, finding.expected) == (SURVIVES, _GOES_ON)
    return own or (bool(_GONE.search(said)) and not _ALIVE.search(said))


def _crash(seen: Sequence[Seen]) -> Cause:
    ended = [row.process for row, _ in seen if row.process is not None]
    traces = [process.trace for process in ended if process.trace is not None]
    first = ended[0]
    words = Counter(trace.said for trace in traces).most_common()
    return Cause(
        kind=Kind.CRASH,
        subject=seen[0][0].subject,
        title=words[0][0] if words else "; ".join(filter(None, (first.status, first.last))),
        seen=tuple(seen),
        places=tuple(place for place, _ in Counter(trace.place for trace in traces).most_common() if place),
        status=first.status if words else "",
        said=_SIGPIPE if first.status == "killed by SIGPIPE" else "",
    )


def _ended(seen: Sequence[Seen], left: Sequence[Seen]) -> Cause:
    """It ended with exit 0. One that does so after its first client serves no other beside that one, either."""
    fewest = min(row.process.clients for row, _ in seen if row.process is not None)
    after = {0: "without a client", 1: "after its first client"}.get(fewest, f"after {fewest} clients or fewer")
    also = [
        (row, finding)
        for row, finding in left
        if fewest <= 1
        and row.process is not None
        and not row.process.crashed
        and (_waits_its_turn(finding) or (row.process.status == "exit 0" and _tells_of_an_end(finding)))
    ]
    return Cause(Kind.ENDS, seen[0][0].subject, f"it ends with exit 0 {after}", (*seen, *also), status="exit 0")


# -- the other causes -------------------------------------------------------------------------------------------------


def _basic_exchange(rows: Sequence[Result], left: Sequence[Seen]) -> list[Cause]:
    """A cause for each way in which the basic exchange failed."""
    groups: dict[str, list[Seen]] = {}
    for row, finding in left:
        if finding.requirement == BASIC_EXCHANGE and finding.expected:
            groups.setdefault(re.sub(r"\d+", "0", f"{finding.expected}; {finding.actual}"), []).append((row, finding))
    found = []
    for seen in groups.values():
        _, finding = seen[0]
        title = f"the basic exchange fails: expected {finding.expected}; actual {finding.actual}"
        found.append(Cause(Kind.BASIC_EXCHANGE, rows[0].subject, title, tuple(seen)))
    return found


def _never_closes(rows: Sequence[Result], left: Sequence[Seen]) -> list[Cause]:
    seen = [(row, finding) for row, finding in left if _NO_END.search(finding.actual)]
    known = [row.process for row in rows if row.process is not None]
    closes = any(process.closed for process in known)
    if closes or not known or _tests(seen) < 2:
        return []
    held = [(row, finding) for row, finding in left if finding.requirement in _HOLDS and _one_each(finding)]
    title = f"it never closes a connection: none of {sum(one.clients for one in known)} clients saw an end"
    return [Cause(Kind.NEVER_CLOSES, rows[0].subject, title, (*seen, *held))]


def _one_each(finding: Finding) -> bool:
    """Whether what it holds is no more than a socket for each client that left."""
    each = _EACH.match(finding.expected)
    if each is None:
        return "CLOSE-WAIT" in finding.expected
    held = [int(number) for number in re.findall(r"\d+", finding.actual.partition(" open descriptors")[0])]
    return all(after - before <= int(each[1]) for before, after in itertools.pairwise(held))


def _one_at_a_time(rows: Sequence[Result], left: Sequence[Seen]) -> list[Cause]:
    seen = [
        (row, finding) for row, finding in left if finding.verdict is Verdict.DEVIATION and _waits_its_turn(finding)
    ]
    if _tests(seen) < 2:
        return []
    return [Cause(Kind.ONE_AT_A_TIME, rows[0].subject, "it serves one client at a time", tuple(seen))]


def _waits_its_turn(finding: Finding) -> bool:
    return finding.requirement in _TOGETHER and bool(_WAITS.search(finding.actual))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
