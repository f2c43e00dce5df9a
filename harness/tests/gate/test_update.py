"""`baseline update`: the smallest difference, and what the gate says of it afterwards."""

from __future__ import annotations

import difflib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.baseline import UNWRITTEN, BaselineError, parse
from harness.gate.judgement import judge
from harness.gate.update import updated
from harness.report.model import Exit, Run
from harness.tests.gate.runs import FAIL, RUNS, TODAY, row, run

BASELINE = """\
# Known deviations of our server.

# The first of two.
[[known]]
test   = "a::gone"    # aligned on purpose
reason = "was fixed"

# Waits for the rewrite.
[[known]]
test   = "a::stays"
reason = 'one client at a time'  # as agreed

[[known]]
test = "a::otherwise"
message = "expected 5 octets; actual reset"  # since March
reason = "known for long"

# The last.
[[known]]
test = "a::partly*"
reason = "both families"
"""

RAN = run(
    row("a::gone"),
    row("a::stays", FAIL, "refused"),
    row("a::otherwise", FAIL, "end of stream after 3 octets"),
    row("a::partly[v4]", FAIL, "refused"),
    row("a::partly[v6]"),
    row("a::new", FAIL, "'x' instead, at octet 17"),
)


def update(text: str, ran: Run) -> str:
    """The baseline after an update."""
    return updated(text, judge(ran, parse(text, "f", unwritten=True), TODAY), ran)


def test_the_difference_is_the_smallest() -> None:
    """What is true stays as it was, to the letter; what is not goes with the comment above it."""
    after = update(BASELINE, RAN)

    difference = difflib.ndiff(BASELINE.splitlines(), after.splitlines())
    changed = [line for line in difference if line[0] in "+-" and line[2:]]
    assert changed == [
        "- # The first of two.",
        "- [[known]]",
        '- test   = "a::gone"    # aligned on purpose',
        '- reason = "was fixed"',
        '- message = "expected 5 octets; actual reset"  # since March',
        '+ message = "expected * octets; actual end of stream after * octets*"  # since March',
        '- reason = "known for long"',
        f'+ reason = "{UNWRITTEN}: it says something else now; the reason was: known for long"',
        '- test = "a::partly*"',
        '+ test = "a::partly[v4]"',
        "+ [[known]]",
        '+ test = "a::new"',
        '+ message = "expected * octets; actual * instead*"',
        f'+ reason = "{UNWRITTEN}: why is this accepted?"',
    ]


def test_the_gate_refuses_until_the_reasons_are_written() -> None:
    """Then it accepts."""
    after = update(BASELINE, RAN)

    with pytest.raises(BaselineError, match=r"still to be written \(and 1 more\)"):
        parse(after, "f")
    assert judge(RAN, parse(written(after), "f"), TODAY).exit is Exit.HOLDS


def test_nothing_to_update_changes_nothing() -> None:
    """Not even the blank lines at the end."""
    text = '[[known]]\ntest = "a::x"\nreason = "r"\n\n\n'

    assert update(text, run(row("a::x", FAIL, "said"))) == text


def test_an_expired_entry_has_to_be_thought_of_again() -> None:
    """Its day goes, and its reason is told and refused."""
    after = update('[[known]]\ntest = "a::x"\nuntil = 2020-01-01\nreason = "r"\n', run(row("a::x", FAIL, "said")))

    assert after == (
        f'[[known]]\ntest = "a::x"\nreason = "{UNWRITTEN}: accepted until 2020-01-01; the reason was: r"\n'
    )


def test_the_last_entry_may_go() -> None:
    """What stood above it stays."""
    text = '# Ours.\n\n[[known]]\ntest = "a::x"\nreason = "r"\n'

    assert update(text, run(row("a::x"))) == "# Ours.\n"
    assert update(text.partition("\n\n")[2], run(row("a::x"))) == ""


ENTRIES = st.lists(
    st.builds(
        lambda test, message, day: f'test = "{test}"\nreason = "r"\n' + message + day,
        st.sampled_from(["*", "a/b::*", "*[v4]", "a/b::x[v4]", "c::y[v6]", "nobody"]),
        st.sampled_from(["", 'message = "*"\n', 'message = "*end*"\n', 'message = "never"\n']),
        st.sampled_from(["", "until = 2020-01-01\n", "until = 2099-01-01\n"]),
    ),
    max_size=4,
)


@given(RUNS, ENTRIES)
def test_after_an_update_the_gate_finds_nothing_to_change(ran: Run, entries: list[str]) -> None:
    """Whatever the run and whatever the baseline: but for reasons, and for what nobody accepts."""
    text = "\n".join(f"# note {number}\n[[known]]\n{entry}" for number, entry in enumerate(entries))

    after = update(text, ran)

    found = judge(ran, parse(written(after), "f"), TODAY)
    assert (found.new, found.untrue) == ((), ())
    assert update(written(after), ran) == written(after)


def written(text: str) -> str:
    """The baseline when a person has given the reasons."""
    return re.sub(f'{UNWRITTEN}[^"]*', "because", text)
