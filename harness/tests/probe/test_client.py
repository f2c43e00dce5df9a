"""The client: each claim holds when it should, and says what came instead when it does not."""

from __future__ import annotations

import re
import select
import zlib
from typing import TYPE_CHECKING

import pytest

from harness.analysis.accounting import Delivered
from harness.payload import KiB, octets
from harness.probe.ending import Ending
from harness.tests.probe.acted import FAR, GIVEN_UP, NEAR, acted, echoing
from harness.verdict import Mismatch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.tests.probe.acted import Acted

LONG = octets(10 * KiB)


def claimed(claim: Callable[[], object]) -> tuple[str, str]:
    """What a claim that does not hold expected, and what it saw."""
    with pytest.raises(Mismatch) as told:
        claim()
    return told.value.expected, told.value.actual


# --- octets that must come


def test_expect_takes_exactly_what_it_names() -> None:
    """What comes behind is left for the next claim."""
    with acted() as pair:
        pair.theirs.send(b"hello world")

        pair.client.expect(b"hello")
        pair.client.expect(b" world")


@pytest.mark.parametrize(
    ("came", "closes", "said"),
    [
        (b"", False, f"no octet came; {GIVEN_UP}"),
        (b"", True, "no octet came, then end of stream (FIN)"),
        (b"hel", False, f"only the first 3 octets came; {GIVEN_UP}"),
        (b"h", True, "only the first 1 octet came, then end of stream (FIN)"),
        (b"hallo", False, "differs at offset 1: expected 'ello', got 'allo'"),
        (b"ha", True, "differs at offset 1: expected 'ello', got 'a' (2 of 5 octets), then end of stream (FIN)"),
        (b"\x00\xff\r\n\x80", False, r"differs at offset 0: expected 'hello', got '\x00\xff\r\n\x80'"),
    ],
)
def test_expect_says_what_came_instead(came: bytes, closes: bool, said: str) -> None:
    """How much, where it parts, and why nothing more is waited for."""
    with acted() as pair:
        pair.theirs.send(came)
        if closes:
            pair.theirs.close()

        assert claimed(lambda: pair.client.expect(b"hello")) == ("5 octets, 'hello'", said)


def test_expect_says_that_it_was_reset() -> None:
    """A reset is not an end of stream."""
    with acted() as pair:
        pair.reset()

        assert claimed(lambda: pair.client.expect(b"x")) == ("1 octet, 'x'", "no octet came, then reset (RST)")


def test_long_octets_are_not_quoted() -> None:
    """Their number, and the place where they part."""
    with acted() as pair:
        pair.theirs.send(LONG[:5000] + b"?" + LONG[5001:])

        expected, actual = claimed(lambda: pair.client.expect(LONG))

    assert expected == "10240 octets unchanged"
    assert actual.startswith("differs at offset 5000: expected '")
    assert "got '?" in actual


# --- silence


def test_a_connection_stands_while_nothing_is_said() -> None:
    """And what is said behind the silence is heard."""
    with acted() as pair:
        pair.client.expect_to_stand(0.01)

        pair.theirs.send(b"behind")
        pair.client.expect(b"behind")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda pair: pair.theirs.close(), r"end of stream \(FIN\) after 0\.\d s"),
        (lambda pair: pair.reset(), r"reset \(RST\) after 0\.\d s"),
        (lambda pair: pair.theirs.send(b"bye"), r"'bye' came after 0\.\d s"),
    ],
    ids=["closes", "resets", "speaks"],
)
def test_silence_that_is_broken_is_told(act: Callable[[Acted], object], said: str) -> None:
    """By whom, and when: a limit that a server has is seen in the seconds."""
    with acted() as pair:
        act(pair)

        expected, actual = claimed(lambda: pair.client.expect_to_stand(0.01))

    assert expected == "the connection stands while nothing is said for 0.01 s"
    assert re.fullmatch(said, actual)


# --- octets that must come back


@pytest.mark.parametrize("chunk", [1 << 18, 1000, 1])
def test_expect_back_sends_and_reads_at_the_same_time(chunk: int) -> None:
    """In pieces of any size; every octet is counted."""
    text = LONG[:3000]
    with acted(echoing()) as pair:
        pair.client.expect_back(text, chunk=chunk)

        assert (pair.client.sent, pair.client.received) == (3000, 3000)
        assert pair.client.delivered() == Delivered(NEAR, FAR, 3000, zlib.crc32(text))
        assert pair.client.ended is None


def test_expect_back_half_closes_behind_the_last_octet() -> None:
    """What is owed comes back all the same, and then the end."""
    with acted(echoing()) as pair:
        pair.client.expect_back(LONG, half_close=True)
        pair.client.expect_end()


def test_expect_back_counts_what_was_sent_before() -> None:
    """The claim is about all of it."""
    with acted(echoing()) as pair:
        pair.client.send_all(b"before, ")

        pair.client.expect_back(b"before, and after", already=8)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (bytes.upper, "differs at offset 0: expected 'hello', got 'HELLO'"),
        (lambda text: text[:-1], f"only the first 4 octets came; {GIVEN_UP}"),
        (lambda text: b"", f"no octet came; {GIVEN_UP}"),
    ],
    ids=["changed", "one is missing", "swallowed"],
)
def test_expect_back_says_what_came_instead(changed: Callable[[bytes], bytes], said: str) -> None:
    """In the same words as expect."""
    with acted(echoing(changed)) as pair:
        assert claimed(lambda: pair.client.expect_back(b"hello")) == ("5 octets, 'hello'", said)


def test_one_octet_too_many_is_found_at_the_end() -> None:
    """The claim on the octets holds, the one on the end does not."""
    with acted(echoing(lambda text: text + b"!")) as pair:
        pair.client.expect_back(b"hello", half_close=True)

        assert claimed(pair.client.expect_end) == (
            "end of stream (FIN), no further octet",
            "1 octet more, '!', then end of stream (FIN)",
        )


def test_a_reset_under_way_is_told() -> None:
    """What came before it is told, too."""

    def one_and_away(theirs: socket.socket) -> None:
        if theirs.fileno() >= 0 and select.select([theirs], [], [], 0)[0]:
            theirs.send(b"h")
            theirs.close()  # hello was not read

    with acted(one_and_away) as pair:
        assert claimed(lambda: pair.client.expect_back(b"hello")) == (
            "5 octets, 'hello'",
            "only the first 1 octet came, then reset (RST)",
        )


# --- the end


def test_the_end_of_the_stream() -> None:
    """It is one end, however often it is asked for."""
    with acted() as pair:
        pair.theirs.close()

        pair.client.expect_end()
        pair.client.expect_end(Ending.EOF)
        assert pair.client.ending() is Ending.EOF
        assert claimed(lambda: pair.client.expect_end(Ending.RESET)) == ("reset (RST)", "end of stream (FIN)")


def test_a_reset() -> None:
    """It is no end of stream."""
    with acted() as pair:
        pair.reset()

        pair.client.expect_end(Ending.RESET)
        assert pair.client.ending() is Ending.RESET
        assert claimed(pair.client.expect_end) == ("end of stream (FIN)", "reset (RST)")


def test_no_end() -> None:
    """Who was waited for is said, and what came before."""
    with acted() as pair:
        assert claimed(pair.client.expect_end) == (
            "the connection ends",
            f"no end of stream and no reset: {GIVEN_UP}",
        )
        pair.theirs.send(b"h")
        assert claimed(pair.client.read_to_end) == (
            "the connection ends",
            f"no end of stream and no reset after 1 octet: {GIVEN_UP}",
        )


@pytest.mark.parametrize("claim", ["expect_end", "ending"])
def test_octets_without_end(claim: str) -> None:
    """A subject that never stops talking does not keep us for ever."""
    with acted(lambda theirs: theirs.send(bytes(1 << 15))) as pair:
        expected, actual = claimed(getattr(pair.client, claim))

    assert expected == "the connection ends"
    assert actual.startswith("octets without end: ")


@pytest.mark.parametrize("closes", [True, False])
def test_any_octets_will_do(closes: bool) -> None:
    """Up to the end or until nothing more comes, but some there must be."""
    with acted() as pair:
        pair.theirs.send(b"whatever")
        if closes:
            pair.theirs.close()

        assert pair.client.expect_any(4) == b"what"
        assert pair.client.expect_any(100) == b"ever"
        why = ", then end of stream (FIN)" if closes else f"; {GIVEN_UP}"
        assert claimed(lambda: pair.client.expect_any(100)) == ("octets come", f"none came{why}")


def test_how_it_ends_whatever_comes_before() -> None:
    """The octets may be read afterwards."""
    with acted() as pair:
        pair.theirs.send(b"last words")
        pair.theirs.close()

        pair.client.expect_ending(Ending.EOF)
        assert claimed(lambda: pair.client.expect_ending(Ending.RESET)) == ("reset (RST)", "end of stream (FIN)")
        assert pair.client.read_to_end() == b"last words"


def test_what_comes_before_the_end_may_be_read() -> None:
    """All of it, or ignored."""
    for read in (True, False):
        with acted() as pair:
            pair.theirs.send(b"last words")
            pair.theirs.close()

            assert pair.client.read_to_end() == b"last words" if read else pair.client.ending() is Ending.EOF


# --- sending


def test_sending_stops_where_the_subject_does() -> None:
    """How much it took is told; send_some and fill take it as it comes."""
    with acted() as pair:
        taken = pair.client.fill(bytes(1 << 22))
        assert 0 < taken < 1 << 22
        assert pair.client.send_some(b"x") == 0
        assert pair.client.sent == taken

        assert claimed(lambda: pair.client.send_all(b"x")) == (
            "the subject takes 1 octet",
            f"it took 0 octets, then none: {GIVEN_UP}",
        )


def test_sending_goes_on_when_the_subject_reads() -> None:
    """A short send is no failure."""
    with acted(echoing(lambda _: b"")) as pair:
        pair.client.send_all(bytes(1 << 22))

        assert pair.client.sent == 1 << 22


def test_a_broken_connection_takes_nothing() -> None:
    """A claim of its own."""
    with acted() as pair:
        pair.client.send_all(b"hello")
        pair.reset()
        pair.client.ending()

        assert claimed(lambda: pair.client.send_all(b"x")) == (
            "the connection takes what we send",
            "it was reset (RST) after 5 octets sent",
        )
        pair.client.half_close()  # no error: the claims tell it better


def test_the_client_is_told_by_its_ends() -> None:
    """As a flow is."""
    with acted() as pair:
        assert str(pair.client) == "10.9.0.1:40000 <-> 10.9.0.2:7"


def test_the_message_of_a_claim() -> None:
    """As a person meets it."""
    with acted() as pair:
        pair.theirs.send(b"hel")
        with pytest.raises(Mismatch) as told:
            pair.client.expect(b"hello")

    assert str(told.value) == (
        "expected: 5 octets, 'hello'\n"
        "actual:   only the first 3 octets came; the subject was idle for 2.0 s"
    )  # fmt: skip
