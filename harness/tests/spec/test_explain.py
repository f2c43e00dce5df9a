"""The text of one requirement, whole."""

from __future__ import annotations

from harness.spec.catalogue import load
from harness.spec.explain import WIDTH, explain
from harness.tests.spec.tables import requirement

WHOLE = """\
rfc862:tcp/echo  MUST NOT
Data comes back

What is sent comes back.

written    RFC 862, Echo Protocol (May 1983), section 3.6.1
           https://www.rfc-editor.org/rfc/rfc862#section-3.6.1
seen       on the wire and at the socket, from client-socket or raw-peer; needs raw, netns
probed     Send and read.
note       Look twice.
tests      tcp/echo::comes_back[v4]
           tcp/echo::comes_back[v6]
mutants    echo_upper"""

BARE = """\
rfc862:tcp/echo  MUST
Data comes back

What is sent comes back.

written    not in sockspec, Profiles (now): our reading of it
seen       not observable: it is inside
probed     Send and read.
tests      none
mutants    none"""


def test_a_requirement_in_full() -> None:
    """Demand, level, place, probe, note, tests and mutants."""
    made = requirement(
        level="must-not",
        section="3.6.1",
        vantage=["client-socket", "raw-peer"],
        needs=["raw", "netns"],
        note="Look twice.",
    )

    assert explain(made, ["tcp/echo::comes_back[v6]", "tcp/echo::comes_back[v4]"], ["echo_upper"]) == WHOLE


def test_a_requirement_with_little_to_say() -> None:
    """What is missing is said where it matters, and left out where it does not."""
    made = requirement(
        {"name": "sockspec", "title": "Profiles", "edition": "now", "url": ""},
        section="house",
        observable="not-observable",
        observable_reason="it is inside",
    )

    assert explain(made) == BARE


def test_a_stated_reason_stands_where_the_tests_would() -> None:
    """So that nobody looks for them."""
    made = requirement(untested="Nobody can wait two hours.")

    assert "\ntests      Nobody can wait two hours.\n" in explain(made)
    assert "two hours" not in explain(made, ["echo::one"])


def test_every_requirement_fits_the_page() -> None:
    """Law: lines are short enough for a terminal, and no address is cut."""
    texts = {made.id: explain(made) for made in load()}

    assert [name for name, text in texts.items() if max(map(len, text.splitlines())) > WIDTH] == []
    assert [made.id for made in load() if made.url not in texts[made.id]] == []
