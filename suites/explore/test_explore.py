"""Sequences of client actions that nobody has thought of, `--explore SECONDS`: no profile's promise may be broken.

What clients do (send, read, half-close, reset, leave, come, lose a segment) is drawn from a seed, hundreds of times;
what the server owes to whom, a model of each profile says (`harness/explore/contracts.py`). What fails is made as short
as it can be, and told as a sequence, with a script that shows it again. A test names what the model of its profile asks
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import covers, exact, profiles

if TYPE_CHECKING:
    from harness.suite import Exploration

pytestmark = pytest.mark.slow


@exact
@profiles("echo")
@covers(
    "rfc862:tcp/returns-every-octet",
    "rfc862:tcp/octets-unchanged",
    "rfc862:tcp/adds-nothing",
    "rfc862:tcp/lasts-until-client-closes",
    "rfc862:tcp/closes-after-client-fin",
    "rfc862:tcp/empty-session",
    "house:any/survives",
)
def check_exploring_breaks_no_echo(explore: Exploration) -> None:
    """Whatever clients do, each gets back what it sent, and the end of the stream when it has closed."""
    explore.run()


@exact
@profiles("discard")
@covers("rfc863:tcp/tcp-discard-sends-nothing", "rfc863:tcp/discard-ends-on-client-close", "house:any/survives")
def check_exploring_breaks_no_discard(explore: Exploration) -> None:
    """Whatever clients do, nobody hears a word, and everybody who has closed gets the end of the stream."""
    explore.run()


@exact
@profiles("chargen")
@covers("rfc864:tcp/tcp-chargen-streams-on-connect", "house:any/survives")
def check_exploring_breaks_no_chargen(explore: Exploration) -> None:
    """Whatever clients do, who reads gets octets, as many as he wants."""
    explore.run()


@exact
@profiles("qotd")
@covers("rfc865:tcp/tcp-quote-then-close", "house:any/survives")
def check_exploring_breaks_no_quote(explore: Exploration) -> None:
    """Whatever clients do, each gets a quote, and the end of the stream behind it."""
    explore.run()


@exact
@profiles("daytime")
@covers("rfc867:tcp/tcp-daytime-then-close", "house:any/survives")
def check_exploring_breaks_no_daytime(explore: Exploration) -> None:
    """Whatever clients do, each is told the time, and the stream ends behind it."""
    explore.run()


@exact
@profiles("time")
@covers("rfc868:tcp/tcp-time-sends-32-bits", "rfc868:tcp/time-server-close-sequence", "house:any/survives")
def check_exploring_breaks_no_time(explore: Exploration) -> None:
    """Whatever clients do, each gets four octets, and the end of the stream when it has closed."""
    explore.run()


@exact
@profiles("greeting")
@covers(
    "house:greeting/one-crlf-line",
    "house:greeting/speaks-first",
    "house:greeting/whole-line",
    "house:greeting/half-closed-client",
    "house:greeting/closes-after",
    "house:any/survives",
)
def check_exploring_breaks_no_greeting(explore: Exploration) -> None:
    """Whatever clients do, each gets one line, and the end of the stream behind it."""
    explore.run()


@exact
@profiles("request-reply")
@covers(
    "house:request-reply/one-reply",
    "house:request-reply/content-does-not-matter",
    "house:request-reply/silent-before-request",
    "house:request-reply/empty-request",
    "house:request-reply/half-closed-client",
    "house:any/survives",
)
def check_exploring_breaks_no_reply(explore: Exploration) -> None:
    """Whatever clients do, who has made one request gets the reply that all get, and the end of the stream."""
    explore.run()


@exact
@profiles("one-shot")
@covers(
    "house:one-shot/orderly-fin",
    "house:one-shot/reads-before-closing",
    "house:one-shot/client-says-nothing",
    "house:one-shot/exits-zero",
    "house:any/survives",
)
def check_exploring_breaks_no_shot(explore: Exploration) -> None:
    """Whatever its one client does, the server waits for the message, closes in order and ends with status 0."""
    explore.run()


@exact
@profiles("tcp")
@covers("house:any/accepts", "house:any/survives")
def check_exploring_costs_nobody_the_service(explore: Exploration) -> None:
    """Whatever clients do, the next one is accepted."""
    explore.run()


@exact
@profiles("protocol")
@covers(
    "house:protocol/answers",
    "house:protocol/segmentation",
    "house:protocol/repeats",
    "house:protocol/silent-before-request",
    "house:protocol/speaks-first",
    "house:protocol/closes",
    "house:protocol/stays-open",
    "house:any/survives",
)
def check_exploring_breaks_no_protocol(explore: Exploration) -> None:
    """Whatever clients do, each request, whole or in pieces, draws the answer that the file describes."""
    explore.run()


@profiles("udp-echo")
@covers(
    "rfc862:udp/same-data",
    "rfc862:udp/empty",
    "rfc862:udp/one-in-one-out",
    "rfc862:udp/reply-address",
    "house:any/survives",
)
def check_exploring_breaks_no_udp_echo(explore: Exploration) -> None:
    """Whatever clients do, each datagram comes back to its sender, once and from where it was sent to."""
    explore.run()


@profiles("udp-discard")
@covers("rfc863:udp/udp-discard-never-replies", "house:any/survives")
def check_exploring_breaks_no_udp_discard(explore: Exploration) -> None:
    """Whatever clients send, nothing comes back, and the server goes on receiving."""
    explore.run()


@profiles("udp-chargen")
@covers("rfc864:udp/udp-chargen-random-length-reply", "house:any/survives")
def check_exploring_breaks_no_udp_chargen(explore: Exploration) -> None:
    """Whatever clients send, each datagram draws one answer of 512 characters at most."""
    explore.run()


@profiles("udp-qotd")
@covers("rfc865:udp/udp-quote-per-datagram", "house:any/survives")
def check_exploring_breaks_no_udp_quote(explore: Exploration) -> None:
    """Whatever clients send, each datagram draws one quote."""
    explore.run()


@profiles("udp-daytime")
@covers("rfc867:udp/udp-daytime-per-datagram", "house:any/survives")
def check_exploring_breaks_no_udp_daytime(explore: Exploration) -> None:
    """Whatever clients send, each datagram is told the time once."""
    explore.run()


@profiles("udp-time")
@covers("rfc868:udp/udp-time-replies-32-bits", "house:any/survives")
def check_exploring_breaks_no_udp_time(explore: Exploration) -> None:
    """Whatever clients send, each empty datagram draws one answer of four octets."""
    explore.run()


@profiles("udp-protocol")
@covers(
    "house:protocol/datagram-answers",
    "house:protocol/datagram-once",
    "house:protocol/datagram-source",
    "house:any/survives",
)
def check_exploring_breaks_no_udp_protocol(explore: Exploration) -> None:
    """Whatever clients do, each request draws the answer that the file describes, once and from where it was asked."""
    explore.run()
