"""The contract of any server that answers requests: it does what the file of its protocol says, whatever clients do.

The file tells what is asked, what comes back, who speaks first and who closes (docs/own-protocol.md); nothing else is
taken for granted. A server that serves one client at a time is a correct one, and one that refuses a client for talking
before its greeting is too: so clients close here, and wait for a greeting where there is one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Ending,
    Exactly,
    KiB,
    Leaving,
    Mismatch,
    NotApplicable,
    control,
    covers,
    exact,
    families,
    got,
    heard,
    sent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite import Answer, Client, Probe, Protocol, Subject, Wire

PROFILES = ("protocol",)

LONGEST = 16 * KiB  # octets within which an answer is complete, where no end of stream tells
LARGE = 64 * KiB  # octets: what is larger takes too long through a tiny window
ROUNDS = 100

PAUSE = 6.0  # seconds amid a request: who looks up from waiting now and then does so each second, or each five
SILENCE = 11.0  # seconds between requests: more than the ten that are a favourite limit, and far from minutes

# What is sent in one piece: more than one read takes, or a table has places for. But both directions have to fit into
# the buffers of the kernels, for a server may write all its answers before it reads on, and nobody reads meanwhile.
MANY = 100  # requests
BEYOND_A_READ = 4 * KiB + 1  # octets of requests
UNREAD = 16 * KiB  # octets at most, of requests and of answers each

RUBBISH = {
    "every_value": bytes(range(256)) + b"\r\n",
    "no_utf_8": b"\xff\xfe \xc3\x28\r\n",
}

ENDLESS = b"x" * 20000  # more than a buffer for requests has room for

SEAMS = re.compile(rb"\r(?=\n)|[\xc0-\xff](?=[\x80-\xbf])")  # what comes before the middle of a line end or a character
MOST_CUTS = 16  # of one request: the server is let rest at each

PAUSES = {"behind_its_first_octet": 1, "before_its_last_octet": -1}
PIECES = {"octets": 1, "sevens": 7, "halves": None}
LEAVING: dict[str, Callable[[Client], None]] = {
    "closes": lambda client: client.close(),
    "half_closes": lambda client: client.half_close(),
    "resets": lambda client: client.reset(),
}
PHASES = ("connect", "half_a_request", "a_request", "half_an_answer", "an_answer")


def hear(client: Client, answer: Answer, what: str, *, to_end: bool = False) -> None:
    """Claim that this answer comes; with `to_end` it is all up to the end of the stream."""
    if isinstance(answer, Exactly):
        try:
            client.expect(answer.octets)
        except Mismatch as missed:
            raise Mismatch(f"{what}: {missed.expected}", missed.actual, details=missed.details) from None
        return
    came = client.read_to_end() if to_end else shortest(client, answer)
    if not answer.whole(came):
        raise Mismatch(f"{what}: {answer}", heard(answer, came, client.stopped))


def shortest(client: Client, answer: Answer) -> bytes:
    """The fewest octets that are the answer, so that segments do not matter; all that came if none are."""
    came = b""
    while not answer.whole(came) and len(came) < LONGEST and (octet := client.read(1)):
        came += octet
    return came


def hear_greeting(client: Client, protocol: Protocol) -> None:
    """Claim that the greeting comes, where there is one."""
    if protocol.greeting is not None:
        hear(client, protocol.greeting, "the greeting")


def hear_answer(client: Client, protocol: Protocol, number: int) -> None:
    """Claim that the answer to the exchange with this number comes."""
    exchange = protocol.exchanges[number]
    last = number == len(protocol.exchanges) - 1
    hear(client, exchange.answer, f"the answer to {exchange}", to_end=last and protocol.server_closes)


def converse(client: Client, protocol: Protocol, *, asked: int = 0) -> None:
    """All exchanges in order, of which the first few may be `asked` already."""
    for number, exchange in enumerate(protocol.exchanges):
        if number >= asked:
            client.send_all(exchange.send)
        hear_answer(client, protocol, number)


def finish(client: Client, protocol: Protocol) -> None:
    """The end of a session: claim that the server closes, where that is its part, and close."""
    if protocol.server_closes:
        client.expect_end(Ending.EOF)
    client.close()


def hold_session(subject: Subject, probe: Probe, protocol: Protocol, segment_size: int | None = None) -> int:
    """An ordinary session, from connect to its end; how many octets came."""
    client = probe.connect(subject, segment_size=segment_size)
    hear_greeting(client, protocol)
    converse(client, protocol)
    finish(client, protocol)
    return client.received


def serves(subject: Subject, probe: Probe, protocol: Protocol) -> int:
    """The control of those tests that do something odd to the server: before it, it serves; how many octets came."""
    with control():
        return hold_session(subject, probe, protocol)


def let_rest(subject: Subject, probe: Probe) -> None:
    """Wait until the subject has taken what was sent, where that can be seen."""
    if subject.managed:
        probe.let_settle(subject)


def expect_no_reset(subject: Subject, probe: Probe, wire: Wire, client: Client) -> None:
    """Claim that the connection was not reset, and is not behind its FIN either."""
    let_rest(subject, probe)
    wire.flow(client).lived().expect_no(got.RST)


def divided(request: bytes, size: int | None) -> list[bytes]:
    """The request in pieces of `size` octets, or in two halves."""
    size = size or max(1, (len(request) + 1) // 2)
    return [request[start : start + size] for start in range(0, len(request), size)]


def torn(request: bytes) -> list[bytes]:
    """The request in pieces that end within its line ends and its characters of UTF-8, and before its last octet."""
    cuts = [inner.start() + 1 for inner in SEAMS.finditer(request)][:MOST_CUTS]
    places = [0, *sorted({*cuts, len(request) - 1} - {0}), len(request)]
    return [request[start:end] for start, end in pairwise(places)]


def rounds_in_a_piece(protocol: Protocol, answered: int) -> int:
    """How often all exchanges are asked in one piece, of which one round draws so many octets: twice at least."""
    asked = sum(len(exchange.send) for exchange in protocol.exchanges)
    enough = max(-(-MANY // len(protocol.exchanges)), -(-BEYOND_A_READ // asked))
    return max(2, min(enough, UNREAD // max(asked, answered)))


@covers("house:protocol/answers")
def check_answers_as_described(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Every request of a session draws the answer that the file describes."""
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    converse(client, protocol)


@covers("house:protocol/segmentation")
@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES.keys())
def check_division_of_a_request_does_not_matter(
    subject: Subject, probe: Probe, protocol: Protocol, size: int | None
) -> None:
    """A request of which the server reads the first piece alone, then piece after piece, is answered as any other."""
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    for number, exchange in enumerate(protocol.exchanges):
        first, *others = divided(exchange.send, size)
        client.send_all(first)
        let_rest(subject, probe)
        for piece in others:
            client.send_all(piece)
        hear_answer(client, protocol, number)


@covers("house:protocol/segmentation")
def check_a_line_end_or_a_character_may_be_torn(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A request whose line ends and characters the server reads in parts, CR and then LF, is answered as any other."""
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    for number, exchange in enumerate(protocol.exchanges):
        *pieces, last = torn(exchange.send)
        for piece in pieces:
            client.send_all(piece)
            let_rest(subject, probe)
        client.send_all(last)
        hear_answer(client, protocol, number)


@families("v4")  # a clock, not an address, would lose it
@pytest.mark.slow(seconds=PAUSE)
@covers("house:protocol/segmentation")
@pytest.mark.parametrize("cut", PAUSES.values(), ids=PAUSES.keys())
def check_a_pause_amid_a_request_does_not_matter(subject: Subject, probe: Probe, protocol: Protocol, cut: int) -> None:
    """A request of which the rest comes six seconds later, as from a person at a keyboard, is answered as any other.

    A server may end such a client, to protect itself; but who goes on listening to it has not forgotten what it said.
    """
    request = protocol.exchanges[0].send
    if len(request) < 2:
        raise NotApplicable("the first request of the protocol's file has one octet")
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    client.send_all(request[:cut])
    came = client.keep_silent(PAUSE)
    if client.ended is not None:
        raise NotApplicable(f"needs a server that waits {PAUSE:g} s for the rest of a request: {client.ended}")
    assert not came, "nothing comes amid a request"
    client.send_all(request[cut:])

    try:
        hear_answer(client, protocol, 0)
    except Mismatch as missed:
        raise Mismatch(f"{missed.expected}, though its parts came {PAUSE:g} s apart", missed.actual) from None


@covers("house:protocol/pipelining")
def check_pipelined_requests_are_all_answered(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Requests that arrive together, more than one read takes, are each answered, in their order."""
    if not protocol.pipelining:
        raise NotApplicable("the file of the protocol does not say pipelining = true")
    answered = serves(subject, probe, protocol)
    rounds = probe.affordable(rounds_in_a_piece(protocol, answered), 2) if protocol.repeatable else 1
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    client.send_all(b"".join(exchange.send for exchange in protocol.exchanges) * rounds)

    for number in range(1, rounds + 1):
        try:
            converse(client, protocol, asked=len(protocol.exchanges))
        except Mismatch as missed:
            expected = f"{missed.expected}, in round {number} of {rounds} that were asked in one piece"
            raise Mismatch(expected, missed.actual) from None


@covers("house:protocol/answers-what-is-whole")
def check_an_answer_does_not_wait_for_the_next_request(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A request that comes together with the first half of the next one is answered before the rest of that comes."""
    if not protocol.pipelining:
        raise NotApplicable("the file of the protocol does not say pipelining = true")
    following = protocol.exchanges[1:] + (protocol.exchanges if protocol.repeatable else ())
    if not following:
        raise NotApplicable("nothing may be asked behind the only request of the protocol's file")
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    client.send_all(protocol.exchanges[0].send + divided(following[0].send, None)[0])

    hear_answer(client, protocol, 0)


@covers("house:protocol/repeats", "house:any/survives")
def check_every_session_is_like_the_first(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A hundred times the same answers: on one connection where all may be said again, else client after client."""
    if not protocol.repeatable:
        for _ in range(probe.affordable(ROUNDS)):
            hold_session(subject, probe, protocol)
        return
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    for number in range(1, probe.affordable(ROUNDS) + 1):
        try:
            converse(client, protocol)
        except Mismatch as missed:
            raise Mismatch(f"{missed.expected}, on one connection time {number} of {ROUNDS}", missed.actual) from None


@covers("house:protocol/silent-before-request")
def check_says_nothing_before_the_request(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """A client that takes its time hears nothing before it has asked, neither a word nor an end of stream."""
    if protocol.greeting is not None:
        raise NotApplicable("the server speaks first: the file of the protocol has a greeting")
    client = probe.connect(subject)
    let_rest(subject, probe)

    client.send_all(protocol.exchanges[0].send)
    client.read(1)

    flow = wire.flow(client)
    flow.before(flow.expect(sent.data())).expect_no(got.data() | got.FIN | got.RST)


@covers("house:protocol/speaks-first")
def check_speaks_first(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that has said nothing is greeted."""
    if protocol.greeting is None:
        raise NotApplicable("the client speaks first: the file of the protocol has no greeting")
    client = probe.connect(subject)

    hear_greeting(client, protocol)


@exact
@covers("house:protocol/closes")
def check_ends_with_fin_behind_its_last_answer(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Behind the last answer comes FIN, and no RST, though the client has not closed."""
    if not protocol.server_closes:
        raise NotApplicable("the client closes: so says the file of the protocol")
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    converse(client, protocol)
    client.expect_end(Ending.EOF)

    wire.flow(client).expect(sent.data(), got.FIN)
    expect_no_reset(subject, probe, wire, client)


@covers("house:protocol/stays-open")
def check_leaves_closing_to_the_client(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Behind the last answer nothing comes, neither FIN nor RST, until the client closes."""
    if protocol.server_closes:
        raise NotApplicable("the server closes: so says the file of the protocol")
    client = probe.connect(subject)
    hear_greeting(client, protocol)
    with control():
        converse(client, protocol)
    let_rest(subject, probe)

    client.half_close()

    flow = wire.flow(client)
    flow.before(flow.expect(sent.FIN)).expect_no(got.FIN | got.RST)


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=SILENCE)
@covers("house:protocol/lasts-while-idle")
def check_lasts_while_nothing_is_said(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that is silent for eleven seconds, before the last request or behind it, keeps its connection."""
    client = probe.connect(subject)
    last = len(protocol.exchanges) - 1
    with control():
        hear_greeting(client, protocol)
        for number in range(last if protocol.server_closes else last + 1):
            client.send_all(protocol.exchanges[number].send)
            hear_answer(client, protocol, number)

    client.expect_to_stand(SILENCE)

    if protocol.server_closes:
        client.send_all(protocol.exchanges[last].send)
        hear_answer(client, protocol, last)
    elif protocol.repeatable:
        converse(client, protocol)


@exact
@covers("house:protocol/ends-after-client")
def check_closes_after_the_client(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """When the client has closed behind its last answer, the server ends the connection too, with FIN and not RST."""
    if protocol.server_closes:
        raise NotApplicable("the server closes: so says the file of the protocol")
    client = probe.connect(subject)
    with control():
        hear_greeting(client, protocol)
        converse(client, protocol)

    client.half_close()
    client.expect_end(Ending.EOF)

    expect_no_reset(subject, probe, wire, client)


@covers("house:protocol/half-closed-client")
def check_half_closed_client_is_answered(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """The last request and FIN that wait together when the server looks are both seen: the answer comes."""
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)
    for number, exchange in enumerate(protocol.exchanges[:-1]):
        client.send_all(exchange.send)
        hear_answer(client, protocol, number)

    with subject.paused():
        client.send_all(protocol.exchanges[-1].send)
        client.half_close()
        wire.wait_for(client, sent.FIN)

    hear_answer(client, protocol, len(protocol.exchanges) - 1)


@covers("house:protocol/whole-answer", "house:any/small-segments")
def check_slow_reader_gets_the_whole_answer(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client with a window of a few hundred octets, which reads when the server rests, gets all that others do."""
    usual = serves(subject, probe, protocol)
    client = probe.connect(subject, receive_buffer=512, segment_size=88)
    let_rest(subject, probe)
    hear_greeting(client, protocol)

    for number, exchange in enumerate(protocol.exchanges):
        client.send_all(exchange.send)
        let_rest(subject, probe)
        if usual > LARGE:
            client.widen()
        hear_answer(client, protocol, number)
    finish(client, protocol)


@covers("house:any/small-segments")
def check_small_segments(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that takes and sends segments of 88 octets at most is served as others are."""
    serves(subject, probe, protocol)

    hold_session(subject, probe, protocol, segment_size=88)


@covers("house:protocol/clients-apart")
@pytest.mark.parametrize("early", ["half_a_request", "a_request"])
def check_clients_get_their_own_answers(subject: Subject, probe: Probe, protocol: Protocol, early: str) -> None:
    """Of two clients that ask at the same time each gets its own answers and no other, be it one after the other."""
    serves(subject, probe, protocol)
    one, two = probe.connect(subject), probe.connect(subject)
    other = protocol.of(2)
    pieces = divided(other.exchanges[0].send, None if early == "half_a_request" else len(other.exchanges[0].send))
    if protocol.greeting is None:
        two.send_all(pieces.pop(0))
    let_rest(subject, probe)  # so that a server of many clients knows both

    hear_greeting(one, protocol)
    converse(one, protocol)
    finish(one, protocol)

    hear_greeting(two, other)
    for piece in pieces:
        two.send_all(piece)
    converse(two, other, asked=1)
    finish(two, other)


@families("v4")  # a table by descriptors knows of no family
@covers("house:protocol/clients-apart")
@pytest.mark.parametrize("how", ["closes", "half_closes"])
@pytest.mark.parametrize("after", ["half_the_first", "half_the_last", "an_answer"])
def check_what_a_client_began_goes_with_it(
    subject: Subject, probe: Probe, protocol: Protocol, after: str, how: str
) -> None:
    """A client that leaves amid a request, or amid its session, leaves nothing of it to those behind it.

    One of the next two gets its descriptor (a waiting accept() has taken one already), and with it what a table still
    has under that number.
    """
    serves(subject, probe, protocol)
    client = probe.connect(subject)
    hear_greeting(client, protocol)

    if after == "an_answer":
        client.send_all(protocol.exchanges[0].send)
        hear_answer(client, protocol, 0)
    else:
        client.send_all(divided(protocol.exchanges[0 if after == "half_the_first" else -1].send, None)[0])
    let_rest(subject, probe)
    LEAVING[how](client)
    let_rest(subject, probe)
    client.close()

    for _ in range(2):
        let_rest(subject, probe)
        hold_session(subject, probe, protocol)


@covers("house:protocol/idle-client")
def check_an_idle_client_does_not_block_others(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that connects and says nothing keeps nobody from being served."""
    serves(subject, probe, protocol)
    probe.connect(subject)

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("after", PHASES)
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, protocol: Protocol, after: str) -> None:
    """A client that aborts, in any phase of an exchange, costs its own connection only."""
    serves(subject, probe, protocol)
    request = protocol.exchanges[0].send

    for _ in range(3):
        client = probe.connect(subject)
        if after != "connect":
            hear_greeting(client, protocol)
            client.send_all(divided(request, None)[0] if after == "half_a_request" else request)
        if after == "half_an_answer":
            client.read(1)
        elif after == "an_answer":
            hear_answer(client, protocol, 0)
        else:
            let_rest(subject, probe)
        client.reset()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
def check_survives_rubbish(subject: Subject, probe: Probe, protocol: Protocol, rubbish: bytes) -> None:
    """A client that says what no protocol has, whatever comes of it, costs its own connection only."""
    serves(subject, probe, protocol)

    client = probe.connect(subject)
    hear_greeting(client, protocol)
    client.send_some(rubbish)
    let_rest(subject, probe)
    client.close()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("behind", ["nothing", "half_a_request"])
def check_survives_a_request_without_end(subject: Subject, probe: Probe, protocol: Protocol, behind: str) -> None:
    """Octets that become no request, behind some that wait in the server's buffer too, find no way out of it.

    A read of as many octets as the buffer has, behind those that it holds, writes past its end.
    """
    serves(subject, probe, protocol)

    client = probe.connect(subject)
    hear_greeting(client, protocol)
    if behind == "half_a_request":
        client.send_some(divided(protocol.exchanges[0].send, None)[0])
        let_rest(subject, probe)
    client.send_some(ENDLESS)
    let_rest(subject, probe)
    client.close()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
def check_survives_requests_of_clients_that_are_gone(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Requests whose clients have closed and reset before the server looks cost nobody else an answer."""
    serves(subject, probe, protocol)

    probe.leave_in_the_queue(subject, Leaving.RESETS_BEHIND_ITS_FIN, protocol.exchanges[0].send)

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("when", ["at_once", "in_the_queue"])
def check_survives_an_empty_client(subject: Subject, probe: Probe, protocol: Protocol, how: str, when: str) -> None:
    """A client that leaves without a word, accepted or not, with FIN or with RST, costs nobody else an answer."""
    serves(subject, probe, protocol)

    for _ in range(3):
        if when == "in_the_queue":
            with subject.paused():
                client = probe.connect(subject)
                LEAVING[how](client)
        else:
            client = probe.connect(subject)
            let_rest(subject, probe)
            LEAVING[how](client)
        if how == "half_closes":
            client.read(LONGEST)  # up to the end of the stream, or as long as anything comes
            client.close()

    hold_session(subject, probe, protocol)
