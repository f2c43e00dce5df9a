"""Which tests a link profile can be laid under: those whose claims hold whatever the link does.

What a stream promises (octets, their order, its end) holds over every link, and what the wire shows of it in the end,
too: an acknowledgment that gets lost is followed by another. Five things do not hold. A datagram that is lost is
nobody's fault. A raw peer has no timers: what it loses is not sent again. A kernel that is judged call by call needs
what was sent to be there at the next call. A test of faults counts its own. And a claim on each and every segment
(`@exact`) is one on the link as well: who has gone answers what comes late by a RST. So is one that rests on a RST,
which nobody sends again: a server that serves one client at a time waits for who has gone.

A link on which frames are no more than late keeps all of these promises but that of the faults, and that of an exact
test that looks at the wire: on a busy machine an ACK may come so late that its sender's timer has run out (a tail loss
probe, RFC 8985 7), and who has gone meanwhile answers the second copy by a RST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from harness.plugin.options import settings_of
from harness.plugin.selection import program_of
from harness.subject.protocol import transport_of

if TYPE_CHECKING:
    from harness.lab.link_profile import LinkProfile


SLOW: Final = 600  # seconds for one test over a link with rules: what is late or sent again adds up over many clients


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests of a run over a link with rules more time before the net below them (pytest-timeout) ends them."""
    link = settings_of(config).link
    if link is not None and link.rules:
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SLOW))


def fair_weather(item: pytest.Item, profile: LinkProfile) -> str:
    """Why this test means nothing on a link with this profile, in a line; empty if it does."""
    wanted: tuple[str, ...] = getattr(item, "fixturenames", ())
    if not profile.rules:
        return ""
    if "link" in wanted:
        return f"makes faults of its own on the link: those of the profile {profile.name!r} would be taken for them"
    named = f"on the link {profile.name!r}"
    exact = getattr(getattr(item, "function", None), "exact", False)
    if profile.faithful:
        late = f"claims which segments came, and which did not: {named} one that is late may be sent again"
        return late if exact and "wire" in wanted else ""
    if "raw" in wanted:
        return f"needs a link that loses nothing: {named} a raw peer, which has no timers, would not send again"
    if exact:
        return f"claims which segments came, and which did not: {named} some come again, and a lost RST never does"
    if not {"subject", "session"} & set(wanted):
        return f"judges a kernel, call by call: {named} what was sent may not have come when the next call is made"
    program = program_of(item)
    spoken = settings_of(item.config).profile or (program.profile if program is not None else "")
    if spoken and transport_of(spoken) == "udp":
        return f"needs datagrams that arrive: {named} nobody sends a lost one again"
    return ""
