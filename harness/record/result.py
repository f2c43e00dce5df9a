"""One test's row in `results.jsonl`: all that a report needs to know of it, as strings and numbers.

The row is written before anything is rendered, and every report comes from rows. A reader refuses a format that it does
not know, and passes over keys that it does not know: those are a later version's additions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.record.process import ProcessRecord
from harness.verdict import Finding, Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1  # of results.jsonl and run.json alike
READY = "a subject that becomes ready"  # what a finding expects where the subject never did


class UnknownFormat(ValueError):  # noqa: N818 - named for what was met
    """The record was written in a format that this version does not read."""

    def __init__(self, found: object) -> None:
        super().__init__(f"the record has format {found!r}, this version reads format {FORMAT}")


def check_format(record: Mapping[str, Any]) -> None:
    """Raises `UnknownFormat` unless the record is of the format that this version reads."""
    if record.get("format") != FORMAT:
        raise UnknownFormat(record.get("format"))


def without_repetition(test: str, repetition: int) -> str:
    """`x[v4-echo_asyncio-r3]`, the third repetition, is `x[v4-echo_asyncio]`; 0 says that nothing was repeated."""
    suffix = f"r{repetition}]"
    if not repetition or not test.endswith(suffix):
        return test
    name = test.removesuffix(suffix)
    return name.removesuffix("[") if name.endswith("[") else f"{name.removesuffix('-')}]"


@dataclass(frozen=True)
class Result:
    """What one test answered about one subject."""

    test: str  # stable id: tcp/closing::close_with_unread_data_sends_rst[v6-echo_asyncio]
    nodeid: str  # pytest's
    group: str  # tcp/closing
    verdict: Verdict
    subject: str = ""  # its name, or the --serve command
    profile: str = ""
    family: str = ""  # v4, v6, or "" where addresses play no part
    covers: tuple[str, ...] = ()  # requirement ids, the first governs
    level: Level | None = None  # of the requirement that governs
    purpose: str = ""  # first line of the test's docstring
    findings: tuple[Finding, ...] = ()
    reason: str = ""  # why not applicable, inconclusive or error; one line
    seconds: float = 0.0
    evidence: str = ""  # the evidence folder, relative to the run folder, with / between
    again: str = ""  # the command that shows it again
    certificate: Mapping[str, Any] | None = None  # holds, frames, drops, text
    relay: Mapping[str, int] | None = None  # rule on the link, in words → frames on which it acted; None: no relay
    worker: str = ""
    line: int = 0  # of the test, from 1, in the file that `nodeid` names; 0 where it is not known
    repetition: int = 0  # from 1 where every test was run several times
    known: str = ""  # why what is missed here is accepted; it is told, and does not fail the run
    process: ProcessRecord | None = None  # what became of the subject's process; None where that was not seen

    def __str__(self) -> str:
        return f"{self.test}: {self.verdict}"

    @property
    def unrepeated(self) -> str:
        """The test's id without the repetition: what all runs of one test on one subject have in common."""
        return without_repetition(self.test, self.repetition)

    @property
    def behaviour(self) -> str:
        """The test's id without family, subject and repetition: what v4 and v6, and all subjects, have in common."""
        name, bracket, variant = self.unrepeated.partition("[")
        if not bracket:
            return name
        rest = f"-{variant.removesuffix(']')}-"
        for part in filter(None, (self.subject, self.family)):
            rest = rest.replace(f"-{part}-", "-", 1)
        rest = rest.strip("-")
        return f"{name}[{rest}]" if rest else name

    def as_record(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "format": FORMAT,
            **asdict(self),
            "verdict": self.verdict.value,
            "covers": list(self.covers),
            "level": self.level.value if self.level else None,
            "findings": [finding.as_record() for finding in self.findings],
            "certificate": dict(self.certificate) if self.certificate is not None else None,
            "relay": dict(self.relay) if self.relay is not None else None,
            "process": self.process.as_record() if self.process is not None else None,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Result:
        """The row that `as_record` wrote; raises ValueError, KeyError or TypeError when it is not one."""
        check_format(record)
        known = {key: record[key] for key in _names(cls) if key in record}
        known["verdict"] = Verdict(record["verdict"])
        known["seconds"] = float(record.get("seconds", 0.0))
        known["covers"] = tuple(known.get("covers", ()))
        known["level"] = Level(known["level"]) if known.get("level") else None
        known["findings"] = tuple(_finding(finding) for finding in known.get("findings", ()))
        known["process"] = ProcessRecord.from_record(known["process"]) if known.get("process") else None
        return cls(**known)


def _finding(record: Mapping[str, Any]) -> Finding:
    return Finding.from_record({key: record[key] for key in _names(Finding) if key in record})


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
