"""The facts of a run keep the texts of requirements as the catalogue had them."""

from __future__ import annotations

from harness.record.facts import RequirementText, RunFacts
from harness.spec.catalogue import Document, Requirement
from harness.verdict import Level


def test_a_text_is_taken_from_the_catalogue() -> None:
    """The level as the document writes it, the section, and where to read it."""
    document = Document("rfc9293", "RFC 9293", "TCP", "August 2022", "https://www.rfc-editor.org/rfc/rfc9293")
    requirement = Requirement(
        "rfc9293:MUST-1", Level.MUST, True, document, "3.1", "Title", "Summary.", "wire", "Probe.", (), ()
    )

    text = RequirementText.of(requirement)

    assert (text.level, text.section, text.title, text.summary) == ("MUST NOT", "3.1", "Title", "Summary.")
    assert (text.document, text.url) == ("RFC 9293", requirement.url)


def test_what_a_later_version_adds_is_passed_over() -> None:
    """Unknown keys of the facts and of a text do not make the run unreadable."""
    facts = RunFacts(requirements={"d:a": RequirementText(title="x")})
    record = facts.as_record() | {"weather": "rain"}
    record["requirements"]["d:a"]["colour"] = "blue"

    assert RunFacts.from_record(record) == facts


def test_a_run_knows_its_time_only_when_it_ended() -> None:
    """A clock that was set back does not make it negative."""
    assert RunFacts(started=5.0).seconds is None
    assert RunFacts(started=5.0, ended=7.5).seconds == 2.5
    assert RunFacts(started=5.0, ended=4.0).seconds == 0.0
