"""A baseline is read whole, or refused in one line with file, line and remedy."""

from __future__ import annotations

import datetime

import pytest

from harness.gate.baseline import BaselineError, Known, parse
from harness.gate.condition import Comparison, Condition

WHOLE = """\
# What we know of.

[[known]]  # the first
test = "services/echo::serves_two*"
reason = "one client at a time"

# Only on old kernels.
[[known]]
test = "tcp/closing::half_close[v6]"
message = "expected *; actual reset"
when = { kernel = "< 6.1", platform = "Linux" }
reason = \"\"\"
a bug of the kernel,
see the link\"\"\"
until = 2027-06-30
link = "https://example.org/17"
"""


def test_every_key_is_read() -> None:
    """With the lines that messages will name."""
    first, second = parse(WHOLE, "known.toml").known

    assert first == Known("services/echo::serves_two*", "one client at a time", line=3, last=5)
    assert second == Known(
        test="tcp/closing::half_close[v6]",
        reason="a bug of the kernel,\nsee the link",
        line=8,
        message="expected *; actual reset",
        when=Condition((Comparison("kernel", "<", "6.1"), Comparison("platform", "==", "Linux"))),
        until=datetime.date(2027, 6, 30),
        link="https://example.org/17",
        last=16,
    )
    assert second.places == {"test": 9, "message": 10, "when": 11, "reason": 12, "until": 15, "link": 16}


def test_an_empty_file_knows_nothing() -> None:
    """A project without a known deviation has a baseline too."""
    assert parse("# nothing yet\n", "known.toml").known == ()


_ENTRY = '[[known]]\ntest = "a::b"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[known]\n", "f:1: this is no TOML: Expected ']]' at the end of an array declaration; write each entry"),
        ('a = "', "f:1: this is no TOML: "),
        ("[known]\n", "f:1: 'known' is written in another form; write each entry as a table headed [[known]]"),
        ('\nknown = [{test = "a", reason = "r"}]', "f:2: 'known' is written in another form; write each entry"),
        (_ENTRY + "\n[[Known]]\n", "f:5: 'Known' is not known here; write each entry as a table headed [[known]]"),
        ('[[known]]\nreason = "r"\n', "f:1: the entry has no 'test'; add test = \"…\", the id of a test, or a pattern"),
        ('\n[[known]]\ntest = "a"\n', "f:2: the entry has no 'reason'; add reason = \"…\", why it is accepted"),
        ('[[known]]\ntest = "a"\nreason = "  "\n', "f:3: 'reason' says nothing; write why it is accepted, in quotes"),
        (_ENTRY + "test2 = 1\n", "f:4: 'test2' is not known; write 'test'"),
        (_ENTRY + "colour = 1\n", "f:4: 'colour' is not known; take it out"),
        (_ENTRY + "message = 7\n", "f:4: 'message' says nothing; write what the finding says, or a pattern, in quotes"),
        (_ENTRY + 'until = "2027-06-30"\n', "f:4: 'until' is no day; write it as 2027-06-30, without quotes"),
        (_ENTRY + "until = 2027-06-30T00:00:00Z\n", "f:4: 'until' is no day; write it as 2027-06-30, without quotes"),
        (_ENTRY + 'when = "old"\n', "f:4: 'when' is no table; write for example when = { kernel = \">= 6.1\" }"),
        (_ENTRY + 'when.moon = "full"\n', "f:4: 'when' asks for 'moon'; it may ask for platform, kernel, machine"),
        (_ENTRY + "when.kernel = 6\n", "f:4: 'when': the value of 'kernel' is no text; write it in quotes"),
        (_ENTRY + 'when.kernel = "<"\n', "f:4: 'when': '<' compares with nothing"),
        (
            _ENTRY + '\n[[known]]\ntest = "c"\nreason = "TO BE WRITTEN"\n' * 2,
            "f:7: the reason of c is still to be written (and 1 more); say why it is accepted, in place of 'TO BE",
        ),
    ],
)
def test_a_bad_baseline_is_told_in_one_line(text: str, told: str) -> None:
    """File, line, what is wrong and what to write."""
    with pytest.raises(BaselineError) as refused:
        parse(text, "f")

    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_reasons_that_are_to_be_written_can_be_read() -> None:
    """`baseline update` reads its own placeholders."""
    (one,) = parse('[[known]]\ntest = "a"\nreason = "TO BE WRITTEN: why?"\n', "f", unwritten=True).known

    assert one.unwritten
