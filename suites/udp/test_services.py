"""The contracts of the simple services over UDP (RFC 863 to 868): one answer for each datagram, or for discard none.

What an answer says is judged for each service; what it costs the server to answer somebody who is gone, or who asks
with rubbish, for all. Nobody can be asked for a certain answer here, so that the fence is the server come to rest, and
for discard the ICMP error of a closed port beside it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.suite import (
    LARGEST_V4,
    LARGEST_V6,
    TEXTS,
    Inconclusive,
    Mismatch,
    NotApplicable,
    ahead,
    ahead_of_clock,
    control,
    covers,
    got,
    profiles,
    quote,
    sent,
    tells_the_day,
    wall_clock,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.suite import DatagramClient, Probe, Subject, Wire

PROFILES = ("udp-chargen", "udp-qotd", "udp-daytime", "udp-time")  # those that answer

CLOSED = 1  # a port on which nobody listens (tcpmux, which was never offered over UDP)
CHARACTERS = 512  # RFC 864: at most so many in an answer; RFC 865: fewer than so many in a quote
TOLERANCE = 2  # seconds: one for rounding, one for a clock that is read in another way
PAUSE = 1.2  # seconds: in these a value or a text has to change

WORDS = (b"hello\r\n", b"help\n", b"quit\r\n", b"%s%n%n")
QUESTIONS = (b"", *WORDS, b"\0" * 100, bytes(range(256)), b"x" * 1400, b"")


def answer(client: DatagramClient, question: bytes = b"") -> bytes:
    """Claim that a datagram draws an answer, and from where it was sent to; what it says."""
    client.send(question)
    wanted = f"an answer from {client.far} to {quote(question) if question else 'an empty datagram'}"
    came = client.answer(wanted)
    if came.source != client.far:
        raise Mismatch(wanted, str(came))
    return came.octets


def one_answer_each(subject: Subject, probe: Probe, questions: tuple[bytes, ...]) -> list[bytes]:
    """Claim that two clients in turn get one answer for each of their questions and no more; what they were told."""
    clients = [probe.datagrams(subject) for _ in range(2)]
    answers = [answer(client, question) for question in questions for client in clients]
    if subject.managed:
        probe.let_settle(subject)
    if extra := [late for client in clients for late in client.waiting()]:
        raise Mismatch("one answer for each datagram", f"{len(extra)} more: {extra[0]}")
    return answers


def expect_none_answered(subject: Subject, probe: Probe, wire: Wire, said: Sequence[Sequence[bytes]]) -> None:
    """Claim that what clients say, one behind the other, draws nothing: no answer, and no ICMP error."""
    clients = [probe.datagrams(subject) for _ in said]
    beside = probe.datagrams(subject, to=subject.address._replace(port=CLOSED))

    for client, texts in zip(clients, said, strict=True):
        for text in texts:
            client.send(text)
    if subject.managed:
        probe.let_settle(subject)
    for client in clients:
        client.send(b"still there?")  # a port that was closed meanwhile would answer, and before the fence
    beside.send(b"fence")
    with control():
        wire.wait_for(beside, got.icmp("port unreachable"))

    for client, texts in zip(clients, said, strict=True):
        flow = wire.flow(client)
        with control():
            assert len(flow.pick(sent.datagram())) == len(texts) + 1, "the control: all were sent"
        flow.expect_no(got.datagram() | got.icmp())


def serves(subject: Subject, probe: Probe) -> None:
    """The control of those tests that do something bad to the server: before it, it serves."""
    with control():
        answer(probe.datagrams(subject))


@covers("rfc863:udp/udp-discard-never-replies")
@profiles("udp-discard")
def check_discard_answers_nothing(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Datagrams from none to the most octets draw neither an answer nor an ICMP error, also behind an empty one."""
    sizes = (0, 1, 13, 512, 1472, 1473, LARGEST_V4 if subject.family == "v4" else LARGEST_V6, 0, 1)

    expect_none_answered(subject, probe, wire, [[b"?" * size for size in sizes]])


@covers("rfc863:udp/udp-discard-never-replies")
@profiles("udp-discard")
def check_discard_looks_into_no_datagram(subject: Subject, probe: Probe, wire: Wire) -> None:
    """What a datagram says, in no UTF-8, as a format or as a command, draws neither an answer nor an ICMP error."""
    expect_none_answered(subject, probe, wire, [TEXTS])


@covers("rfc863:udp/udp-discard-never-replies")
@profiles("udp-discard")
def check_discard_is_there_for_every_client(subject: Subject, probe: Probe, wire: Wire) -> None:
    """The datagrams of a second and third client draw no ICMP error either: the first does not have it for itself."""
    expect_none_answered(subject, probe, wire, [[b"hello\r\n"] * 3] * 3)


@covers("rfc863:udp/udp-discard-throws-away")
@profiles("udp-discard")
def check_discard_keeps_nothing(subject: Subject, probe: Probe) -> None:
    """Datagrams of every size, also many, are received: none is left in the buffer of its socket."""
    if not subject.managed:
        raise NotApplicable("what it has not received is seen of a server that sockspec starts: use --serve")
    client = probe.datagrams(subject)

    for size in (1, 0, 512, 1473, *range(1, 100)):
        client.send(b"?" * size)

    def kept() -> str:
        return f"{octets} octets as the kernel counts them are left" if (octets := subject.unread()) else ""

    probe.expect_soon(subject, "every datagram is received", kept)


@covers("rfc864:udp/udp-chargen-random-length-reply")
@profiles("udp-chargen")
def check_chargen_answers_each_datagram_once(subject: Subject, probe: Probe) -> None:
    """Each datagram, whatever it holds, draws one answer of 0 to 512 characters."""
    answers = one_answer_each(subject, probe, QUESTIONS)

    if long := [text for text in answers if len(text) > CHARACTERS]:
        raise Mismatch(f"answers of 0 to {CHARACTERS} characters", quote(long[0]))


@covers("rfc864:udp/udp-chargen-random-length-reply")
@profiles("udp-chargen")
def check_chargen_answers_are_in_bounds(subject: Subject, probe: Probe) -> None:
    """None of a thousand answers has more than 512 characters: of a hundred of somebody else's server."""
    client = probe.datagrams(subject)

    for number in range(1000 if subject.managed else 100):
        text = answer(client, b"%d" % number)
        if len(text) > CHARACTERS:
            raise Mismatch(f"an answer of 0 to {CHARACTERS} characters", quote(text))


@covers("rfc864:udp/udp-chargen-length-varies")
@profiles("udp-chargen")
def check_chargen_length_varies(subject: Subject, probe: Probe) -> None:
    """Forty answers are not all of one length: it is random."""
    client = probe.datagrams(subject)
    with control():
        lengths = {len(answer(client)) for _ in range(40)}

    if len(lengths) == 1:
        raise Mismatch("answers of different lengths", f"40 of {lengths.pop()} octets")


@covers("rfc864:udp/chargen-amplification-reported")
@profiles("udp-chargen")
def check_tells_how_much_chargen_amplifies(subject: Subject, probe: Probe) -> None:
    """Requests of one octet draw larger answers: who offers this to the world should know by how much."""
    client = probe.datagrams(subject)
    with control():
        drawn = sum(len(answer(client, b"?")) for _ in range(40))

    if drawn > 40:
        raise Mismatch("answers no larger than their requests", f"{drawn / 40:.0f} octets for each octet sent")


@covers("rfc865:udp/udp-quote-per-datagram")
@profiles("udp-qotd")
def check_qotd_answers_each_datagram_once(subject: Subject, probe: Probe) -> None:
    """Each datagram, whatever it holds, draws one quote."""
    answers = one_answer_each(subject, probe, QUESTIONS)

    if not all(answers):
        raise Mismatch("a quote says something", "an empty datagram came")


@covers("rfc865:tcp/quote-shape-limits")
@profiles("udp-qotd")
def check_quote_is_short_and_printable(subject: Subject, probe: Probe) -> None:
    """Each of a hundred quotes has fewer than 512 characters: printing ASCII, space, CR and LF."""
    client = probe.datagrams(subject)

    for _ in range(100):
        with control():
            text = answer(client)
        if len(text) >= CHARACTERS or re.search(rb"[^\x20-\x7e\r\n]", text):
            raise Mismatch(f"fewer than {CHARACTERS} characters of printing ASCII, space, CR and LF", quote(text))


@covers("rfc867:udp/udp-daytime-per-datagram")
@profiles("udp-daytime")
def check_daytime_answers_each_datagram_once(subject: Subject, probe: Probe) -> None:
    """Each datagram, whatever it holds, draws one text."""
    answers = one_answer_each(subject, probe, QUESTIONS)

    if wordy := [text for text in answers if not re.search(rb"\d", text)]:
        raise Mismatch("date and time have numbers", quote(wordy[0]))


@covers("rfc867:tcp/daytime-is-one-ascii-line")
@profiles("udp-daytime")
def check_daytime_is_one_line(subject: Subject, probe: Probe) -> None:
    """The text is one line of printing ASCII and space; its only line end, if any, is the last thing in it."""
    with control():
        text = answer(probe.datagrams(subject))

    if not re.fullmatch(rb"[\x20-\x7e]*(\r\n|\n|\r)?", text):
        raise Mismatch("one line of printing ASCII and space", quote(text))


@covers("rfc867:tcp/daytime-tells-this-day")
@profiles("udp-daytime")
def check_daytime_tells_this_day(subject: Subject, probe: Probe) -> None:
    """The text tells the date of our clock, or of the day before or after it: the zone is the server's choice."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")
    with control():
        text = answer(probe.datagrams(subject))
    now = wall_clock()

    if not tells_the_day(text.decode("ascii", "replace"), now):
        raise Mismatch(f"a text that tells the day, which is {datetime.fromtimestamp(now, UTC):%Y-%m-%d}", quote(text))


@covers("rfc867:tcp/daytime-tells-this-time")
@profiles("udp-daytime")
def check_daytime_tells_this_time(subject: Subject, probe: Probe) -> None:
    """A time in the text, hh:mm:ss, is that of our clock in some zone, and a later text tells another."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")
    client = probe.datagrams(subject)

    asked = wall_clock()
    with control():
        text = answer(client)
    now = wall_clock()
    off = ahead_of_clock(text.decode("ascii", "replace"), asked, now)
    if off is None:
        raise NotApplicable("its text has no time of the form hh:mm:ss")

    if abs(off) > TOLERANCE:
        clock = f"{datetime.fromtimestamp(now, UTC):%H:%M:%S} UTC"
        raise Mismatch(f"the time, which is {clock}, in some zone", f"{quote(text)}, which is {off:+.0f} s off")
    probe.expect_soon(subject, "our clock goes on", lambda: "" if wall_clock() >= now + PAUSE else "not yet")
    if (later := answer(client)) == text:
        raise Mismatch(f"a clock that goes on within {PAUSE} s", f"{quote(later)} again")


@covers("rfc868:udp/udp-time-replies-32-bits")
@profiles("udp-time")
def check_time_answers_each_empty_datagram_once(subject: Subject, probe: Probe) -> None:
    """Each empty datagram draws one answer of four octets."""
    answers = one_answer_each(subject, probe, (b"",) * 5)

    if wrong := [value for value in answers if len(value) != 4]:
        raise Mismatch("answers of 4 octets", f"one of {len(wrong[0])}, {quote(wrong[0])}")


@covers("rfc868:udp/udp-time-replies-32-bits")
@profiles("udp-time")
def check_value_is_the_time(subject: Subject, probe: Probe) -> None:
    """The value, its most significant octet first, is the seconds since 1900-01-01 00:00 UTC, and goes on."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")

    asked = wall_clock()
    value = answer(probe.datagrams(subject))
    told = wall_clock()

    if ahead(value, asked) < -TOLERANCE or ahead(value, told) > TOLERANCE:
        raise Mismatch("the seconds since 1900", f"{quote(value)}, which is {ahead(value, told):+.0f} s off")
    probe.expect_soon(subject, "our clock goes on", lambda: "" if wall_clock() >= told + PAUSE else "not yet")
    if (later := answer(probe.datagrams(subject))) == value:
        raise Mismatch(f"a clock that goes on within {PAUSE} s", f"{quote(later)} again")


@covers("house:any/survives")
def check_survives_an_answer_that_nobody_hears(subject: Subject, probe: Probe, wire: Wire) -> None:
    """The answer to a client that is gone draws ICMP port unreachable; the server goes on answering all the same."""
    serves(subject, probe)
    gone = probe.datagrams(subject)
    other = probe.datagrams(subject)

    with subject.paused():
        gone.send(b"")
        gone.close()
    with control():
        wire.wait_for(gone, got.datagram())
    if not wire.flow(gone).pick(sent.icmp("port unreachable")):
        raise Inconclusive("our kernel did not answer with ICMP port unreachable")

    for _ in range(3):
        answer(other)


@covers("house:any/survives")
def check_survives_datagrams_of_every_size(subject: Subject, probe: Probe) -> None:
    """A datagram of no octets or of as many as there can be, answered or not, leaves the server as it was."""
    serves(subject, probe)
    for size in (0, 1, 1473, LARGEST_V4 if subject.family == "v4" else LARGEST_V6, 0):
        probe.datagrams(subject).send(b"?" * size)

    answer(probe.datagrams(subject))


@covers("house:any/survives")
def check_survives_whatever_a_datagram_says(subject: Subject, probe: Probe) -> None:
    """No UTF-8, a format, a command: what one client says, answered or not, costs the next one no answer."""
    serves(subject, probe)
    client = probe.datagrams(subject)
    for text in TEXTS:
        client.send(text)

    answer(probe.datagrams(subject))


@covers("rfc1122:4.1.3.5/reply-source-equals-request-destination")
def check_answer_comes_from_the_address_asked(subject: Subject, probe: Probe) -> None:
    """A server bound to every address of its host answers from the one that was asked, whichever the route prefers."""
    addresses = subject.addresses()
    if len(addresses) == 1:
        raise NotApplicable(f"the subject is bound to {subject.address.host} alone")

    for address in addresses:
        answer(probe.datagrams(subject, to=address))
