"""The contract of any server that answers requests: it does what the file of its protocol says, whatever clients do.

The file tells what is asked, what comes back, who speaks first and who closes (docs/own-protocol.md); nothing else is
taken for granted. A server that serves one client at a time is a correct one, and one that refuses a client for talking
before its greeting is too: so clients close here, and wait for a greeting where there is one.
"""

from __future__ import annotations

import contextlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Conversation,
    KiB,
    Leaving,
    Mismatch,
    NotApplicable,
    control,
    covers,
    exact,
    families,
    got,
    quote,
    requires,
    sent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.suite import Client, Exchange, Flow, Probe, Protocol, Session, Subject, Wire

PROFILES = ("protocol",)

LARGE = 64 * KiB  # octets: what is larger takes too long through a tiny window
ROUNDS = 100

PAUSE = 6.0  # seconds amid a request: who looks up from waiting now and then does so each second, or each five
A_WHILE = 0.3  # seconds: whoever closes sooner has not waited for the rest of a request
NEARLY = 0.7  # of an idle limit: who comes so late is not too late yet, on a machine under load either
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


def connect(
    subject: Subject,
    probe: Probe,
    protocol: Protocol,
    *,
    segment_size: int | None = None,
    receive_buffer: int | None = None,
) -> Conversation:
    """One more client, with a name of its own, that has said and heard nothing yet."""
    client = probe.connect(subject, segment_size=segment_size, receive_buffer=receive_buffer)
    return Conversation(client, protocol)


def greeted(subject: Subject, probe: Probe, protocol: Protocol) -> Conversation:
    """One more client; a claim that it is greeted, where there is a greeting."""
    talk = connect(subject, probe, protocol)
    talk.hear_greeting()
    return talk


def hold_session(subject: Subject, probe: Probe, protocol: Protocol, segment_size: int | None = None) -> int:
    """An ordinary session, from connect to its end; how many octets came."""
    talk = connect(subject, probe, protocol, segment_size=segment_size)
    talk.hear_greeting()
    talk.converse()
    talk.finish()
    return talk.client.received


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


def expect_early(came: bytes, exchange: Exchange, said: bytes) -> None:
    """Claim that what came before the request was whole is its whole and right answer; then nothing is judged.

    A lone CR ends a line for many that read lines (Java's readLine(), "universal newlines" of Python): they have all of
    the request when its last octet, a LF, is still to come.
    """
    if not exchange.answer.whole(came):
        raise Mismatch(f"nothing comes before the request is whole, of which {quote(said)} was sent", quote(came))
    raise NotApplicable(f"needs a server that waits for all of a request: {quote(said)} alone was answered rightly")


@contextlib.contextmanager
def all_of_a_request(talk: Conversation, number: int, wire: Wire, *, said: int = 0) -> Iterator[None]:
    """One request in parts, of which so many octets are `said`, and its answer: nobody waits for a rest without end.

    To protect itself it may let a client go that has said a part for a while, as knot does after half a second. At once
    it may not: it has taken what one read brought for all.
    """
    whole = talk.client.sent - said + len(talk.request(number))
    try:
        yield
    except Mismatch:
        if (waited := waited_amid(wire.flow(talk.client), whole)) is not None and waited >= A_WHILE:
            reason = f"it let the client go {waited:.1f} s after a part of one"
            raise NotApplicable(f"needs a server that waits for the rest of a request: {reason}") from None
        raise


def waited_amid(flow: Flow, whole: int) -> float | None:
    """The seconds between the last octets that the server had and its end of the connection; None if it had all."""
    ends = flow.pick(got.FIN | got.RST)
    if not ends:
        return None
    said = flow.before(ends[0]).pick(sent.data())
    if not said or max(step.end for step in said) > whole:
        return None
    return (ends[0].time_ns - said[-1].time_ns) / 1e9


def bearable(seconds: float, protocol: Protocol) -> float:
    """How long a client may be silent, of so many seconds, without coming near the idle limit that the file has."""
    return seconds if protocol.idle_limit is None else min(seconds, NEARLY * protocol.idle_limit)


def rounds_in_a_piece(protocol: Protocol, answered: int) -> int:
    """How often all exchanges are asked in one piece, of which one round draws so many octets: twice at least."""
    asked = sum(len(exchange.send) for exchange in protocol.exchanges)
    enough = max(-(-MANY // len(protocol.exchanges)), -(-BEYOND_A_READ // asked))
    return max(2, min(enough, UNREAD // max(asked, answered)))


@covers("house:protocol/answers")
def check_answers_as_described(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Every request of a session draws the answer that the file describes."""
    talk = greeted(subject, probe, protocol)

    talk.converse()


@covers("house:protocol/segmentation")
@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES.keys())
def check_division_of_a_request_does_not_matter(
    subject: Subject, probe: Probe, wire: Wire, protocol: Protocol, size: int | None
) -> None:
    """A request of which the server reads the first piece alone, then piece after piece, is answered as any other."""
    serves(subject, probe, protocol)
    talk = greeted(subject, probe, protocol)

    for number in range(len(protocol.exchanges)):
        first, *others = divided(talk.request(number), size)
        with all_of_a_request(talk, number, wire):
            talk.client.send_all(first)
            let_rest(subject, probe)
            for piece in others:
                talk.client.send_all(piece)
            talk.hear(number)


@covers("house:protocol/segmentation")
def check_a_line_end_or_a_character_may_be_torn(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """A request whose line ends and characters the server reads in parts, CR and then LF, is answered as any other."""
    serves(subject, probe, protocol)
    talk = greeted(subject, probe, protocol)

    for number in range(len(protocol.exchanges)):
        *pieces, last = torn(talk.request(number))
        with all_of_a_request(talk, number, wire):
            for piece in pieces:
                talk.client.send_all(piece)
                let_rest(subject, probe)
            talk.client.send_all(last)
            talk.hear(number)


@families("v4")  # a clock, not an address, would lose it
@pytest.mark.slow(seconds=PAUSE)
@covers("house:protocol/segmentation")
@pytest.mark.parametrize("cut", PAUSES.values(), ids=PAUSES.keys())
def check_a_pause_amid_a_request_does_not_matter(
    subject: Subject, probe: Probe, wire: Wire, protocol: Protocol, cut: int
) -> None:
    """A request of which the rest comes six seconds later, as from a person at a keyboard, is answered as any other.

    A server may end such a client, to protect itself; but who goes on listening to it has not forgotten what it said.
    """
    serves(subject, probe, protocol)
    talk = greeted(subject, probe, protocol)
    request, client, pause = talk.request(0), talk.client, bearable(PAUSE, protocol)
    if len(request) < 2:
        raise NotApplicable("the first request of the protocol's file has one octet")

    try:
        with all_of_a_request(talk, 0, wire):
            client.send_all(request[:cut])
            came = talk.unasked_for(client.keep_silent(pause))
            if client.ended is not None:
                raise Mismatch("the server waits for the rest of a request", f"{client.ended}")
            if came:
                expect_early(came, talk.exchange(0), request[:cut])
            client.send_all(request[cut:])
            talk.hear(0)
    except Mismatch as missed:
        raise Mismatch(f"{missed.expected}, though its parts came {pause:g} s apart", missed.actual) from None


@covers("house:protocol/pipelining")
def check_pipelined_requests_are_all_answered(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Requests that arrive together, more than one read takes, are each answered, in their order."""
    if not protocol.pipelining:
        raise NotApplicable("the file of the protocol does not say pipelining = true")
    answered = serves(subject, probe, protocol)
    rounds = protocol.rounds(probe.affordable(rounds_in_a_piece(protocol, answered), 2))
    talk = greeted(subject, probe, protocol)

    talk.client.send_all(b"".join(map(talk.request, range(len(protocol.exchanges)))) * rounds)

    for number in range(1, rounds + 1):
        try:
            talk.converse(asked=len(protocol.exchanges))
        except Mismatch as missed:
            expected = f"{missed.expected}, in round {number} of {rounds} that were asked in one piece"
            raise Mismatch(expected, missed.actual) from None


@covers("house:protocol/answers-what-is-whole")
def check_an_answer_does_not_wait_for_the_next_request(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A request that comes together with the first half of the next one is answered before the rest of that comes."""
    if not protocol.pipelining:
        raise NotApplicable("the file of the protocol does not say pipelining = true")
    following = 1 if len(protocol.exchanges) > 1 else 0
    if not (following or protocol.repeatable):
        raise NotApplicable("nothing may be asked behind the only request of the protocol's file")
    serves(subject, probe, protocol)
    talk = greeted(subject, probe, protocol)

    talk.client.send_all(talk.request(0) + divided(talk.request(following), None)[0])

    talk.hear(0)


@covers("house:protocol/repeats", "house:any/survives")
def check_every_session_is_like_the_first(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A hundred times the same answers: on one connection where all may be said again, else client after client.

    A connection lasts for as many requests as the file says, where it says how many.
    """
    if not protocol.repeatable:
        serves(subject, probe, protocol)
        for _ in range(probe.affordable(ROUNDS) - 1):
            hold_session(subject, probe, protocol)
        return
    exchanges = len(protocol.exchanges)
    most = min(protocol.requests or ROUNDS * exchanges, ROUNDS * exchanges)  # requests on a connection
    talk, asked = greeted(subject, probe, protocol), 0

    with control():
        talk.converse()
    asked = exchanges
    for number in range(exchanges, probe.affordable(ROUNDS) * exchanges):
        if asked == most:
            talk.client.close()
            talk, asked = greeted(subject, probe, protocol), number % exchanges
            talk.converse(until=asked)
        asked += 1
        try:
            talk.say(number % exchanges)
            talk.hear(number % exchanges)
        except Mismatch as missed:
            which = f"request {asked} of {most} on one connection"
            raise Mismatch(f"{missed.expected}, {which}", missed.actual) from None


@covers("house:protocol/silent-before-request")
def check_says_nothing_before_the_request(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """A client that takes its time hears nothing before it has asked, neither a word nor an end of stream."""
    if protocol.greeting is not None:
        raise NotApplicable("the server speaks first: the file of the protocol has a greeting")
    talk = connect(subject, probe, protocol)
    let_rest(subject, probe)
    early = b"" if protocol.unasked is None else talk.unasked_for(talk.client.take_in())

    talk.say(0)
    talk.client.read(1)

    flow = wire.flow(talk.client)
    no = got.FIN | got.RST if protocol.unasked else got.data() | got.FIN | got.RST
    flow.before(flow.expect(sent.data())).expect_no(no)
    assert not early, "nothing comes before the request but what the file says may come unasked"


@covers("house:protocol/speaks-first")
def check_speaks_first(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that has said nothing is greeted."""
    if protocol.greeting is None:
        raise NotApplicable("the client speaks first: the file of the protocol has no greeting")
    talk = connect(subject, probe, protocol)

    talk.hear_greeting()


@exact
@covers("house:protocol/closes")
def check_ends_with_fin_behind_its_last_answer(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Behind the last answer comes FIN, and no RST, though the client has not closed."""
    if not protocol.server_closes:
        raise NotApplicable("the client closes: so says the file of the protocol")
    talk = greeted(subject, probe, protocol)
    with control():
        talk.converse(until=-1)

    talk.say(len(protocol.exchanges) - 1)
    talk.hear(len(protocol.exchanges) - 1)
    talk.expect_end()

    wire.flow(talk.client).expect(sent.data(), got.FIN)
    expect_no_reset(subject, probe, wire, talk.client)


@covers("house:protocol/stays-open")
def check_leaves_closing_to_the_client(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Behind the last answer nothing comes, neither FIN nor RST, until the client closes."""
    if protocol.server_closes:
        raise NotApplicable("the server closes: so says the file of the protocol")
    talk = greeted(subject, probe, protocol)
    with control():
        talk.converse()
    let_rest(subject, probe)

    talk.client.half_close()

    flow = wire.flow(talk.client)
    flow.before(flow.expect(sent.FIN)).expect_no(got.FIN | got.RST)


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=SILENCE)
@covers("house:protocol/lasts-while-idle", "house:any/long-idle-uses-no-cpu")
def check_lasts_while_nothing_is_said(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that is silent for eleven seconds, before the last request or behind it, keeps its connection."""
    talk = connect(subject, probe, protocol)
    last = len(protocol.exchanges) - 1
    with control():
        talk.hear_greeting()
        talk.converse(until=last if protocol.server_closes else None)

    talk.expect_to_stand(bearable(SILENCE, protocol))
    unrest = probe.unrest(subject)

    if protocol.server_closes:
        talk.say(last)
        talk.hear(last)
    elif protocol.rounds(2) == 2:
        talk.converse()
    if unrest:
        with requires("house:any/long-idle-uses-no-cpu"):
            raise Mismatch(
                f"while a client says nothing for {SILENCE:g} s it waits without using the processor", unrest
            )


@exact
@covers("house:protocol/ends-after-client")
def check_closes_after_the_client(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """When the client has closed behind its last answer, the server ends the connection too, with FIN and not RST."""
    if protocol.server_closes:
        raise NotApplicable("the server closes: so says the file of the protocol")
    talk = connect(subject, probe, protocol)
    with control():
        talk.hear_greeting()
        talk.converse()

    talk.client.half_close()
    talk.expect_end()

    expect_no_reset(subject, probe, wire, talk.client)


@covers("house:protocol/half-closed-client")
def check_half_closed_client_is_answered(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """The last request and FIN that wait together when the server looks are both seen: the answer comes."""
    serves(subject, probe, protocol)
    talk = greeted(subject, probe, protocol)
    last = len(protocol.exchanges) - 1
    talk.converse(until=last)

    with subject.paused():
        talk.say(last)
        talk.client.half_close()
        wire.wait_for(talk.client, sent.FIN)

    talk.hear(last)


@covers("house:protocol/whole-answer", "house:any/small-segments")
def check_slow_reader_gets_the_whole_answer(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client with a window of a few hundred octets, which reads when the server rests, gets all that others do."""
    usual = serves(subject, probe, protocol)
    talk = connect(subject, probe, protocol, receive_buffer=512, segment_size=88)
    let_rest(subject, probe)
    talk.hear_greeting()

    for number in range(len(protocol.exchanges)):
        talk.say(number)
        let_rest(subject, probe)
        if usual > LARGE:
            talk.client.widen()
        talk.hear(number)
    talk.finish()


@covers("house:any/small-segments")
def check_small_segments(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A client that takes and sends segments of 88 octets at most is served as others are."""
    serves(subject, probe, protocol)

    hold_session(subject, probe, protocol, segment_size=88)


@covers("house:protocol/clients-apart")
@pytest.mark.parametrize("early", ["half_a_request", "a_request"])
def check_clients_get_their_own_answers(
    subject: Subject, probe: Probe, wire: Wire, protocol: Protocol, early: str
) -> None:
    """Of two clients that ask at the same time each gets its own answers and no other, be it one after the other."""
    serves(subject, probe, protocol)
    one, two = connect(subject, probe, protocol), connect(subject, probe, protocol)
    size = None if early == "half_a_request" else len(two.request(0))
    said = b""
    if protocol.greeting is None:
        said = divided(two.request(0), size)[0]
        two.client.send_all(said)
    let_rest(subject, probe)  # so that a server of many clients knows both

    one.hear_greeting()
    one.converse()
    one.finish()

    two.hear_greeting()
    with all_of_a_request(two, 0, wire, said=len(said)):
        two.client.send_all(two.request(0)[len(said) :])
        two.hear(0)
    for number in range(1, len(protocol.exchanges)):
        two.say(number)
        two.hear(number)
    two.finish()


@covers("house:protocol/clients-apart")
def check_exchanges_of_two_clients_alternate(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Two clients whose exchanges alternate are each answered as if alone."""
    if len(protocol.exchanges) == 1:
        raise NotApplicable("needs a protocol of several exchanges")
    one, two = connect(subject, probe, protocol), connect(subject, probe, protocol)
    one.hear_greeting()
    one.converse(until=1)
    try:
        two.hear_greeting()
        two.converse(until=1)
    except Mismatch:
        if two.client.received or two.client.ended is not None:
            raise
        raise NotApplicable("needs a server of more than one client at a time") from None

    for number in range(1, len(protocol.exchanges)):
        for talk in (one, two):
            talk.say(number)
            talk.hear(number)


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
    talk = greeted(subject, probe, protocol)

    if after == "an_answer":
        talk.converse(until=1)
    else:
        amid = 0 if after == "half_the_first" else len(protocol.exchanges) - 1
        talk.converse(until=amid if protocol.tells_values else 0)  # which it has to know before it can say the last
        talk.client.send_all(divided(talk.request(amid), None)[0])
    let_rest(subject, probe)
    LEAVING[how](talk.client)
    let_rest(subject, probe)
    talk.client.close()

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

    for _ in range(3):
        talk = connect(subject, probe, protocol)
        if after != "connect":
            talk.hear_greeting()
            request = talk.request(0)
            talk.client.send_all(divided(request, None)[0] if after == "half_a_request" else request)
        if after == "half_an_answer":
            talk.client.read(1)
        elif after == "an_answer":
            talk.hear(0)
        else:
            let_rest(subject, probe)
        talk.client.reset()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
def check_survives_rubbish(subject: Subject, probe: Probe, protocol: Protocol, rubbish: bytes) -> None:
    """A client that says what no protocol has, whatever comes of it, costs its own connection only."""
    serves(subject, probe, protocol)

    talk = greeted(subject, probe, protocol)
    talk.client.send_some(rubbish)
    let_rest(subject, probe)
    talk.client.close()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("behind", ["nothing", "half_a_request"])
def check_survives_a_request_without_end(subject: Subject, probe: Probe, protocol: Protocol, behind: str) -> None:
    """Octets that become no request, behind some that wait in the server's buffer too, find no way out of it.

    A read of as many octets as the buffer has, behind those that it holds, writes past its end.
    """
    serves(subject, probe, protocol)

    talk = greeted(subject, probe, protocol)
    if behind == "half_a_request":
        talk.client.send_some(divided(talk.request(0), None)[0])
        let_rest(subject, probe)
    talk.client.send_some(ENDLESS)
    let_rest(subject, probe)
    talk.client.close()

    hold_session(subject, probe, protocol)


@exact
@covers("house:any/survives")
def check_survives_requests_of_clients_that_are_gone(
    subject: Subject, probe: Probe, protocol: Protocol, session: Session
) -> None:
    """Requests whose clients have closed and reset before the server looks cost nobody else an answer."""
    serves(subject, probe, protocol)

    probe.leave_in_the_queue(subject, Leaving.RESETS_BEHIND_ITS_FIN, session.request())

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
            client.read(UNREAD)  # up to the end of the stream, or as long as anything comes
            client.close()

    hold_session(subject, probe, protocol)
