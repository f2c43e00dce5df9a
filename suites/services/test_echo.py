"""The contract of an echo server over TCP (RFC 862): what goes in comes out, until the client has closed.

Each check takes the subject and a probe; any server that speaks the profile gets them all. A server that serves one
client at a time is a correct one: only checks that a SHOULD governs ask for more.

The first ones ask for the plain thing. Those behind them, which are about a small window, the end of the stream or a
client that leaves, have the same octets sent back without that first: a server that changes octets learns of it from
the plain ones, and from none of the others.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Ending,
    KiB,
    Leaving,
    MiB,
    Mismatch,
    State,
    control,
    covers,
    exact,
    got,
    octets,
    quote,
    requires,
    sent,
)

if TYPE_CHECKING:
    from harness.suite import Link, Probe, Subject, Wire

PROFILES = ("echo",)

TEXTS = (
    bytes(range(256)) * 8,
    b"\0" * 300 + b"between" + b"\0",
    b"\r\n\n\r\r\n" * 50 + b"no end of line",
    b"\xff\xfe\x80\xc3(\xed\xa0\x80\xf5" * 40,  # no UTF-8
    "다람쥐 헌 쳇바퀴에 타고파 ".encode() * 30 + "끝".encode()[:2],  # UTF-8, cut within a character
)

# What other programs take for a command, for an end, for nothing at all, or for something to fill in.
WORDS = (
    *(b"0", b"\0", b"\n", b"\r\n", b" ", b".", b".\r\n", b"  spaces at both ends \t\r\n", b"one line\n"),
    *(b"\x03", b"\x04", b"\x1a", b"\xff", b"\xff\xf4\xff\xfd\x06", b"EOF\n", b"END\r\n", b"q\n"),
    *(b"quit\r\n", b"exit\n", b"bye", b"close", b"stop\n", b"shutdown\n", b"QUIT\r\n", b"help\r\n"),
    *(b"%s%d%%n\n", b"\\n\\x41\\0", b"$HOME `id` $(id)", b"<b>&amp;", b"\"quoted\" 'too'"),
)

# Where buffers end: powers of two and of ten with their neighbours, and what fills one segment, or two.
SIZES = (1, 100, 127, 128, 255, 256, 257, 500, 512, 1000, 1023, 1024, 1025, 1448, 2000, 2048, 2896, 4096, 8192, 16_384)

SILENCE = 11.0  # seconds: more than the ten that are a favourite limit, and far from minutes
MUCH = 4 * MiB  # octets: more than the buffers of both kernels take together
REST = 16 * KiB  # octets: fewer than servers let wait before they read no further (asyncio: 64 KiB)


def serves(subject: Subject, probe: Probe, text: bytes = b"before") -> None:
    """The control of those tests that do something odd to the server: without that, it sends back what it gets."""
    with control():
        client = probe.connect(subject)
        client.expect_back(text)
        client.close()


@covers("rfc862:tcp/returns-every-octet")
def check_returns_what_it_gets(subject: Subject, probe: Probe) -> None:
    """A short text comes back."""
    client = probe.connect(subject)

    client.expect_back(b"hello")


@covers("rfc862:tcp/octets-unchanged")
def check_octets_come_back_unchanged(subject: Subject, probe: Probe) -> None:
    """Octets are octets: NUL, line ends and what is no UTF-8 come back as they went."""
    for text in TEXTS:
        client = probe.connect(subject)
        client.expect_back(text)
        client.close()


@covers("rfc862:tcp/octets-unchanged", "rfc862:tcp/lasts-until-client-closes")
def check_no_word_means_anything(subject: Subject, probe: Probe) -> None:
    """No word is a command, and none too little to be answered: each comes back alone, on one connection."""
    client = probe.connect(subject)

    for word in WORDS[: probe.affordable(len(WORDS))]:
        client.expect_back(word)


@covers("rfc862:tcp/waits-for-nothing", "rfc862:tcp/returns-every-octet")
def check_message_of_any_size_comes_back_alone(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A message that lies there whole when the server looks comes back, also if it just fills a buffer or a segment."""
    for size in SIZES[: probe.affordable(len(SIZES))]:
        message = octets(size, seed=size)
        with subject.paused() if subject.managed else contextlib.nullcontext():
            client = probe.connect(subject)
            client.send_all(message)
            wire.wait_for(client, got.taken(size))
        client.expect(message)
        client.close()


@covers("rfc862:tcp/returns-every-octet", "rfc862:tcp/large-transfer-flows")
@pytest.mark.parametrize("size", [65_537, MiB + 1])
def check_every_size_comes_back_whole(subject: Subject, probe: Probe, size: int) -> None:
    """More than a buffer or a million octets: all come back, in order, while the client sends and reads at once."""
    client = probe.connect(subject)

    client.expect_back(octets(size))


@covers("rfc862:tcp/chunking-does-not-matter")
def check_chunks_do_not_matter(subject: Subject, probe: Probe) -> None:
    """The same octets sent in pieces of any size make the same stream, read one by one or many at once."""
    client = probe.connect(subject)
    for piece in (1, 2, 3, 7, 1000, 1461):
        client.expect_back(octets(piece))  # before the next is sent: nobody has read two of them as one
    client.close()

    for chunk in (1, 7, 1000, 1461):
        client = probe.connect(subject)
        client.expect_back(octets(600 * min(chunk, 10)), chunk=chunk)
        client.close()


@covers("rfc862:tcp/waits-for-nothing")
def check_answers_without_waiting_for_more(subject: Subject, probe: Probe) -> None:
    """A single octet is answered though no line end, no second octet and no end of stream follows."""
    client = probe.connect(subject)

    for octet in b"no newline":
        client.expect_back(bytes([octet]))


@covers("rfc862:tcp/adds-nothing")
def check_adds_nothing(subject: Subject, probe: Probe) -> None:
    """No greeting, prompt or line end: between two exchanges there is nothing, nor before the first one."""
    client = probe.connect(subject)

    client.expect_back(b"x")
    client.expect_back(b"y")


@covers("rfc862:tcp/adds-nothing")
def check_adds_nothing_behind_the_last_octet(subject: Subject, probe: Probe) -> None:
    """Behind the last octet comes the end, no farewell."""
    client = probe.connect(subject)

    client.expect_back(b"that was all")
    client.half_close()

    client.expect_end(Ending.EOF)


@covers("rfc862:tcp/lasts-until-client-closes")
def check_lasts_until_the_client_closes(subject: Subject, probe: Probe) -> None:
    """One connection carries exchange after exchange, and stands while nothing is said; only the client ends it."""
    client = probe.connect(subject)
    with control():
        client.expect_back(b"the first exchange")

    for number in range(probe.affordable(100)):
        client.expect_back(f"exchange {number}".encode())
    if subject.managed and (came := client.read(1)):  # until the server has been idle for two seconds
        raise Mismatch("nothing comes unasked", f"{quote(came)} came")

    client.expect_back(b"still there?")


@pytest.mark.slow(seconds=SILENCE)
@covers("rfc862:tcp/lasts-until-client-closes", "house:any/long-idle-uses-no-cpu")
def check_lasts_while_nothing_is_said(subject: Subject, probe: Probe) -> None:
    """A client that is silent for eleven seconds, as a person at a keyboard is, finds its connection as it was."""
    client = probe.connect(subject)
    with control():
        client.expect_back(b"before")

    client.expect_to_stand(SILENCE)
    unrest = probe.unrest(subject)

    client.expect_back(b"still there?")
    if unrest:
        with requires("house:any/long-idle-uses-no-cpu"):
            raise Mismatch(
                f"while a client says nothing for {SILENCE:g} s it waits without using the processor", unrest
            )


@covers("rfc862:tcp/empty-session")
def check_empty_session_is_closed(subject: Subject, probe: Probe) -> None:
    """A client that sends nothing and closes its direction gets no octet and the end of the stream."""
    client = probe.connect(subject)

    client.half_close()

    client.expect_end(Ending.EOF)


@exact
@covers("rfc862:tcp/closes-after-client-fin")
def check_ends_with_fin_after_all_that_it_owes(subject: Subject, probe: Probe, wire: Wire) -> None:
    """After the client's FIN the server still sends what it owes, then its own FIN; it resets nothing."""
    text = octets(256 * KiB)
    serves(subject, probe, text)
    client = probe.connect(subject)

    client.expect_back(text, half_close=True)
    client.expect_end(Ending.EOF)

    flow = wire.flow(client)
    flow.expect(sent.FIN, got.FIN)
    flow.lived().expect_no(got.RST)


@covers("rfc862:tcp/closes-after-client-fin")
def check_fin_right_behind_the_text_loses_nothing(subject: Subject, probe: Probe) -> None:
    """Text and FIN that wait together when the server looks are both seen: the text comes back, then the end."""
    serves(subject, probe)

    with subject.paused():
        client = probe.connect(subject)
        client.send_all(b"last words")
        client.half_close()

    client.expect(b"last words")
    client.expect_end(Ending.EOF)


@covers("rfc862:tcp/closes-after-client-fin")
def check_half_close_before_the_answer_is_read_loses_nothing(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that half-closes while the server cannot yet send all that it owes gets it all, then the end."""
    text = octets(256 * KiB)
    serves(subject, probe, text)
    client = probe.connect(subject, receive_buffer=4 * KiB)

    taken = client.fill(text, until=lambda: bool(wire.so_far(client).pick(got.window(0))))
    client.half_close()
    wire.wait_for(client, got.taken(taken + 1))  # the FIN too, or what a server that waits in send() has room for
    client.widen()

    client.expect(text[:taken])
    client.expect_end(Ending.EOF)


@covers("rfc862:tcp/closes-after-client-fin")
def check_fin_that_finds_a_rest_unsent_loses_nothing(subject: Subject, probe: Probe) -> None:
    """A server that has read all and could not yet send the rest when the client's FIN comes keeps the rest.

    The rest has to be small: one that reads no further while much waits to be sent sees the FIN only when it is sent.
    """
    text = octets(MUCH)
    serves(subject, probe, text)
    client = probe.connect(subject, receive_buffer=4 * KiB)
    said = held = 0

    while said < MUCH and said - held < REST:  # until its kernel takes no more: what is beyond, the server has
        taken = client.fill(text[said : said + REST])
        said += taken
        probe.at_rest(subject)
        if not taken:  # it reads no further before it has sent: what it has read it owes all the same
            break
        held = sum(one["unsent"] for one in subject.sockets(State.ESTABLISHED)) + 4 * KiB
    client.half_close()
    probe.at_rest(subject)
    client.widen()

    client.expect(text[:said])
    client.expect_end(Ending.EOF)


@covers("rfc862:tcp/order-restored")
def check_segments_out_of_order_come_back_in_order(subject: Subject, probe: Probe, wire: Wire, link: Link) -> None:
    """Segments that overtook each other on the link come back in the order of the stream."""
    serves(subject, probe, b"first second third")
    client = probe.connect(subject)
    with control():
        client.expect_back(b"first ")
    acks = len(wire.flow(client).pick(got.bare_ack()))

    with link.hold(sent.data(), times=1):
        client.send_all(b"second ")
        client.send_all(b"third")
        wire.wait_for(client, got.bare_ack(), count=acks + 1)  # the third is there, and the second still missing

    client.expect(b"second third")


@covers("rfc862:tcp/octets-unchanged", "rfc862:tcp/adds-nothing")
def check_clients_get_their_own_octets(subject: Subject, probe: Probe) -> None:
    """Two clients that send at the same time each get what they sent, be it one after the other."""
    one, two = probe.connect(subject), probe.connect(subject)
    one_says, two_says = octets(20 * KiB, seed=1), octets(20 * KiB, seed=2)

    two.send_all(two_says[: 10 * KiB])
    one.expect_back(one_says)
    one.close()
    two.send_all(two_says[10 * KiB :])

    two.expect(two_says)


@covers("rfc862:tcp/clients-independent")
def check_clients_are_served_at_the_same_time(subject: Subject, probe: Probe) -> None:
    """Five clients in turn, each with exchange after exchange: none has to wait for another to leave."""
    serves(subject, probe)
    clients = [probe.connect(subject) for _ in range(5)]

    for number in range(3):
        for name, client in enumerate(clients):
            client.expect_back(f"client {name} says {number}".encode())


@exact
@covers("rfc862:tcp/clients-independent", "house:any/leavers-cost-nobody")
@pytest.mark.parametrize("how", ["close", "reset"])
def check_clients_that_leave_cost_nobody_the_service(subject: Subject, probe: Probe, how: str) -> None:
    """Clients leave and others come in their place; those who stay, and those who came, are served on."""
    clients = [probe.connect(subject) for _ in range(8)]
    with control():
        clients[0].expect_back(b"I am the first")
    for client in clients:
        client.expect_back(b"I am here")

    with requires("house:any/leavers-cost-nobody"):
        for place in (0, 1, 2, 5, 7):  # who comes gets the descriptor of who left
            getattr(clients[place], how)()
            probe.let_settle(subject)
            clients[place] = probe.connect(subject)
            clients[place].expect_back(b"I am new")
        for client in clients:
            client.expect_back(b"I am still here")


@exact
@covers("rfc862:tcp/clients-independent", "house:any/leavers-cost-nobody")
@pytest.mark.parametrize("how", ["close", "reset"])
def check_clients_that_leave_together_cost_nobody_the_service(subject: Subject, probe: Probe, how: str) -> None:
    """Three clients have left and five have spoken when the server looks: the five are served, then and later.

    A program that lets the last in its table take the place of who left, while it walks through it, may lose one.
    """
    clients = [probe.connect(subject) for _ in range(8)]
    with control():
        clients[0].expect_back(b"I am the first")
    for client in clients:
        client.expect_back(b"I am here")
    leaving = [clients[place] for place in (0, 3, 7)]  # first, last, and one between
    staying = [client for client in clients if client not in leaving]

    with requires("house:any/leavers-cost-nobody"):
        with subject.paused():
            for client in leaving:
                getattr(client, how)()
            for client in staying:
                client.send_all(b"I stay")
        for client in staying:
            client.expect(b"I stay")
        probe.let_settle(subject)
        for client in staying:
            client.expect_back(b"I am still here")


@covers("rfc862:tcp/idle-client-does-not-block")
def check_an_idle_client_does_not_block_others(subject: Subject, probe: Probe) -> None:
    """A client that connects and says nothing keeps nobody from being served."""
    serves(subject, probe)
    probe.connect(subject)
    other = probe.connect(subject)

    other.expect_back(b"and me?")


@exact
@covers("rfc862:tcp/survives-reset", "house:any/survives")
@pytest.mark.parametrize("after", ["connect", "sending", "an exchange", "reading nothing"])
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, after: str) -> None:
    """A client that aborts, in any phase of an exchange, costs its own connection only."""
    serves(subject, probe)

    for _ in range(3):
        client = probe.connect(subject)
        if after == "sending":
            client.send_all(b"never answered")
        elif after == "an exchange":
            client.exchange(b"answered", back=8)
        elif after == "reading nothing":
            client.fill(octets(300 * KiB))
        client.reset()

    probe.connect(subject).expect_back(b"still there?")


@exact
@covers("rfc862:tcp/survives-reset", "house:any/survives")
def check_survives_a_reset_behind_unread_text(subject: Subject, probe: Probe) -> None:
    """A reset that the server finds together with text, and with a FIN, ends that connection and no other."""
    serves(subject, probe)
    early = probe.connect(subject)
    probe.let_settle(subject)  # it is accepted, and takes no place from those who come now

    with subject.paused():
        early.send_all(b"x" * 1000)
        early.reset()
        for _ in range(probe.room_for(subject, 2)):
            client = probe.connect(subject)
            client.send_all(b"x" * 1000)
            client.leave(Leaving.RESETS_BEHIND_ITS_FIN)

    probe.connect(subject).expect_back(b"still there?")


@exact
@covers("rfc862:tcp/survives-connect-and-close", "house:any/survives")
def check_survives_clients_that_connect_and_close(subject: Subject, probe: Probe) -> None:
    """Clients that leave at once, before or after they were accepted, with FIN or with RST, disturb nobody."""
    serves(subject, probe)

    with subject.paused():
        for number in range(probe.room_for(subject, 4)):
            client = probe.connect(subject)
            (client.reset if number % 2 else client.close)()
    probe.connect(subject).close()

    probe.connect(subject).expect_back(b"still there?")


@covers("rfc862:tcp/returns-every-octet", "house:any/survives")
def check_goes_on_serving(subject: Subject, probe: Probe) -> None:
    """Client after client is served, the hundredth as the first."""
    for number in range(probe.affordable(100)):
        client = probe.connect(subject)
        client.expect_back(f"client {number}".encode())
        client.close()


@covers("house:any/small-segments")
def check_small_segments_and_a_tiny_window(subject: Subject, probe: Probe) -> None:
    """A client with segments of 88 octets and a window of a few hundred gets every octet."""
    text = octets(20 * KiB)
    serves(subject, probe, text)
    client = probe.connect(subject, receive_buffer=512, segment_size=88)

    client.expect_back(text)


@covers("rfc862:tcp/urgent-octet")
def check_urgent_octet_does_no_harm(subject: Subject, probe: Probe) -> None:
    """A client that sends an urgent octet is still served, and so is the next one."""
    client = probe.connect(subject)
    with control():
        client.expect_back(b"before")

    client.send_urgent(b"!")
    client.send_all(b"after")

    came = client.read(len(b"after"))
    if b"!" in came:  # a server that reads urgent data in line (SO_OOBINLINE) returns it too
        came += client.read(1)
    if not came.endswith(b"after"):
        raise Mismatch("the octets behind the urgent one come back, 'after'", quote(came) if came else "no octet came")
    client.close()
    probe.connect(subject).expect_back(b"still there?")
