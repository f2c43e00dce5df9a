"""What `run.json` holds: the facts of a run as a whole.

It is written twice, at the start with what is planned, at the end with how it ended. A run that was killed has only the
first; a reader sees that by `ended`. The texts of the covered requirements are kept with the run, so that a report
years later shows what was demanded then, and needs no catalogue.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.record.result import FORMAT, check_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.spec.catalogue import Requirement


@dataclass(frozen=True)
class RequirementText:
    """What a report says of a requirement."""

    level: str = ""  # as a document writes it: MUST, SHOULD NOT, documented …
    section: str = ""
    title: str = ""
    summary: str = ""
    document: str = ""  # RFC 9293
    url: str = ""  # where to read it
    mutants: tuple[str, ...] = ()  # that break it: what its tests have been proved by

    @classmethod
    def of(cls, requirement: Requirement, mutants: Iterable[str] = ()) -> RequirementText:
        """The text of a requirement in the catalogue, with the mutants that break it."""
        return cls(
            level=requirement.strength,
            section=requirement.section,
            title=requirement.title,
            summary=requirement.summary,
            document=requirement.document.name,
            url=requirement.url,
            mutants=tuple(mutants),
        )


@dataclass(frozen=True)
class RunFacts:
    """A run, apart from its rows."""

    subjects: tuple[str, ...] = ()
    command: tuple[str, ...] = ()  # the command line, one argument each
    seed: int = 0
    strict: bool = False  # whether a deviation counts as a fail
    environment: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None  # seconds since the epoch
    ended: float | None = None  # None while it runs, and for ever when it was killed
    planned: tuple[str, ...] = ()  # test ids, in the order of collection
    exit_code: int | None = None
    harness_version: str = __version__
    suite: str = ""  # the digest of the suites' source, by which two runs know whether they asked the same
    selection: Mapping[str, str] = field(default_factory=dict)  # the options that chose among the tests: -k, --profile
    link: Mapping[str, Any] = field(
        default_factory=dict
    )  # the link profile under every test: name, purpose, seed, rules
    shard: str = ""  # "2/5" where the run was given the second of five parts of its tests
    requirements: Mapping[str, RequirementText] = field(default_factory=dict)  # of the ids that tests cover

    @property
    def seconds(self) -> float | None:
        """How long the run took by the wall clock; None when its end was not recorded."""
        return None if self.started is None or self.ended is None else max(0.0, self.ended - self.started)

    def as_record(self) -> dict[str, Any]:
        """The facts as a JSON object."""
        record = {"format": FORMAT, **asdict(self)}
        return record | {key: list(record[key]) for key in ("subjects", "command", "planned")}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunFacts:
        """The facts that `as_record` wrote."""
        check_format(record)
        known = {one.name: record[one.name] for one in fields(cls) if one.name in record}
        for key in ("subjects", "command", "planned"):
            known[key] = tuple(known.get(key, ()))
        texts = {one.name for one in fields(RequirementText)}
        known["requirements"] = {
            requirement: RequirementText(
                **{key: text for key, text in entry.items() if key in texts and key != "mutants"},
                mutants=tuple(entry.get("mutants", ())),
            )
            for requirement, entry in known.get("requirements", {}).items()
        }
        return cls(**known)
