"""The summary stays short where all is calm, readable where nothing is, and is never spoken by the subject."""

from __future__ import annotations

import io
import re

import pytest

from harness.report import terminal
from harness.tests.report import samples
from harness.verdict import Verdict

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_a_calm_run_is_a_few_lines() -> None:
    """Nothing to complain about takes no time to read, however large the run."""
    assert len(terminal.render(samples.calm()).splitlines()) <= 6
    assert len(terminal.render(samples.passing(5000)).splitlines()) <= 8


def test_a_very_failing_run_stays_readable() -> None:
    """Two hundred findings fit a limit, and the rest is counted with the place where it is told."""
    text = terminal.render(samples.failing(200), limit=20, report="here/index.html")

    assert len(text.splitlines()) < 220
    more = re.search(r"… and 180 more \((.*)\) in here/index\.html", text)
    assert more
    assert sum(map(int, re.findall(r"\d+", more[1]))) == 180


@pytest.mark.parametrize("name", ["calm", "mixed", "killed", "hostile"])
def test_colour_changes_nothing_but_colour(name: str) -> None:
    """Without colour there is no escape; with it, the text is the same."""
    run = getattr(samples, name)()
    plain, coloured = terminal.render(run), terminal.render(run, colour=True)

    assert "\x1b" not in plain
    assert coloured != plain
    assert COLOUR.sub("", coloured) == plain


def test_a_subject_cannot_speak_to_the_terminal() -> None:
    """Whatever it prints, no control character but ours comes out, and none of its lines stands alone."""
    text = COLOUR.sub("", terminal.render(samples.hostile(), colour=True))

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert "\nlast line" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_keep_the_width_where_words_allow(width: int) -> None:
    """Only paths, commands, counts and single long words go beyond."""
    for line in terminal.render(samples.mixed(), width=width).splitlines():
        may_be_long = re.match(r"  (evidence|again)|report| *\w+/\w+  | *\d+ pass", line)
        assert len(line) <= width or may_be_long or " " not in line.strip()


def test_the_exit_code_is_told_last() -> None:
    """The last line says what the process answered and what that means."""
    assert terminal.render(samples.mixed()).splitlines()[-1] == "exit    1  required behaviour is missed"


def test_an_empty_run_is_told() -> None:
    """Nothing run is not nothing wrong."""
    assert terminal.render(samples.run([])) == (
        "\nno test was judged · 41 s\nreport  reports/runs/sample/index.html\nexit    5  nothing was run\n"
    )


class _Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "environment", "colour"),
    [
        (_Terminal(), {"TERM": "xterm"}, True),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),  # no-color.org: present and not empty
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_a_terminal_of_somebody_who_wants_it(
    out: io.StringIO, environment: dict[str, str], colour: bool
) -> None:
    """Elsewhere there is none, and lines are as wide as a page."""
    found, width = terminal.look(out, environment)

    assert found is colour
    assert 40 <= width <= 120


def test_what_was_not_judged_at_all_is_told() -> None:
    """A server that does not serve one family passes on the other, and nobody should take that for both."""
    unserved = [
        samples.row(
            "tcp/closing", f"n{number}", Verdict.NOT_APPLICABLE, reason="the subject does not serve IPv4: it ended"
        )
        for number in range(12)
    ]
    one = samples.row("tcp/closing", "holds", Verdict.NOT_APPLICABLE, reason="needs root")

    text = terminal.render(samples.run([*unserved, one]))

    assert "12 tests not applicable: the subject does not serve IPv4: it ended\n" in text
    assert "needs root" not in text
