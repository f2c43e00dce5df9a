"""The texts of failed claims, as a stranger reads them: one for each claim and each way to fail."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from harness.tests.wire.craft import FAR, FAR6, NEAR, NEAR6, Talk, half_close, icmp_frame, ip, long_flow, udp
from harness.verdict import Mismatch, WireMismatch
from harness.wire.explain import explain
from harness.wire.flow import Flow
from harness.wire.match import Missing, in_order
from harness.wire.pattern import got, sent

if TYPE_CHECKING:
    from collections.abc import Callable


def failure(claim: Callable[[], object]) -> WireMismatch:
    with pytest.raises(WireMismatch) as caught:
        claim()
    return caught.value


def text(block: str) -> str:
    """A text block as it stands in the test, without its indentation and the line ends around it."""
    return dedent(block).strip("\n")


FLOW = half_close().flow()
LONG = long_flow().flow()


# --- listings


def test_a_short_flow_is_listed_whole() -> None:
    assert FLOW.listing() == text("""
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
    #4   +0.000030  sent  PSH ACK  1:6(5)           ack 1      win 64512
    #5   +0.000040  got   ACK      1:1(0)           ack 6      win 65536
    #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512
    #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
    #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")


def test_cited_steps_are_marked() -> None:
    assert FLOW.before(FLOW.steps[3]).listing({2: "got SYN ACK"}) == text("""
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
  > #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK   = got SYN ACK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
""")


def test_columns_stand_in_line_whatever_is_in_them() -> None:
    talk = Talk(NEAR6, FAR6).handshake().sent("URG ACK", 1, 1, b"hello!", urgent=6)
    talk.got("ACK", 1, 7, options=bytes.fromhex("0101050a000003ee000003f8"))
    talk.got("FIN PSH ACK", 123_456_789, 7, b"x" * 1448).sent("RST", 7)

    assert talk.flow().listing() == text("""
the wire: [fd09::1]:47732 <-> [fd09::2]:35171
    #1   +0.000000  sent  SYN          0:0(0)                                win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK      0:0(0)                     ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK          1:1(0)                     ack 1      win 64256
    #4   +0.000030  sent  ACK URG      1:7(6)                     ack 1      win 65536  urg 6
    #5   +0.000040  got   ACK          1:1(0)                     ack 7      win 65536  sack 6:16
    #6   +0.000050  got   FIN PSH ACK  123456789:123458237(1448)  ack 7      win 65536
    #7   +0.000060  sent  RST          7:7(0)                                win 65536
""")


def test_datagrams_and_icmp_errors_are_told_in_words() -> None:
    quoted = ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello"))
    talk = Talk().sent_datagram(b"hello").got_datagram(b"").got_datagram(b"\x00" + b"line\n" * 40)
    talk.put(False, icmp_frame(FAR.host, NEAR.host, 3, 3, quoted))
    talk.put(False, icmp_frame("10.9.0.254", NEAR.host, 3, 4, quoted, rest=1280))

    assert talk.datagrams().listing({4: "got ICMP port unreachable"}) == text(r"""
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  datagram (5 octets) 'hello'
    #2   +0.000010  got   datagram (0 octets)
    #3   +0.000020  got   datagram (201 octets) '\x00line\nline\nline\nline\nlin'…
  > #4   +0.000030  got   ICMP port unreachable, from 10.9.0.2             = got ICMP port unreachable
    #5   +0.000040  got   ICMP fragmentation needed, mtu 1280, from 10.9.0.254
""")


def test_of_a_long_flow_the_ends_are_listed() -> None:
    assert LONG.listing() == text("""
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
    …    77 steps left out
    #81  +0.000800  got   ACK      1:1(0)           ack 391    win 65536
    #82  +0.000810  sent  PSH ACK  391:401(10)      ack 1      win 64512
    #83  +0.000820  got   ACK      1:1(0)           ack 401    win 65536
""")


def test_what_must_be_known_of_the_numbers_is_remarked() -> None:
    assert Talk().sent("ACK", 1, 1, b"x").flow().listing() == text("""
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  ACK      1:2(1)           ack 1      win 512
remark:   no SYN of 10.9.0.1:47732 in the capture: its first number seen counts as 1, windows may be unscaled
""")


# --- expect


def test_expect_names_what_appeared_too_early() -> None:
    told = failure(lambda: FLOW.expect(got.FIN, sent.FIN))

    assert str(told) == text("""
no sent FIN after #9; it did appear earlier, as #6
expected: got FIN, then sent FIN
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
    #4   +0.000030  sent  PSH ACK  1:6(5)           ack 1      win 64512
    #5   +0.000040  got   ACK      1:1(0)           ack 6      win 65536
    #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512
    #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
  > #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")
    assert told.cited == {9: "got FIN"}


def test_expect_names_what_never_appeared() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[4]).expect(got.RST))

    assert str(told) == text("""
no got RST in 5 segments
expected: got RST
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512
    #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
    #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")
    assert told.cited == {}


def test_expect_shows_the_closest_step() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[4]).expect(sent.FIN, got.data(b"hello, world")))

    assert str(told) == text("""
no got data 'hello, world' after #6, and none before
expected: sent FIN, then got data 'hello, world'
closest:  #7: it carries 'hello', not 'hello, world'
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512   = sent FIN
    #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
    #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")
    assert told.cited == {6: "sent FIN"}


def test_expect_says_that_a_segment_counts_once() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[7]).expect(got.acked(6), got.FIN))

    assert str(told) == text("""
no got FIN after #9; #9 is one itself, but a segment counts once
expected: got ACK of 6 octets, then got FIN
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536   = got ACK of 6 octets
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")


def test_expect_keeps_the_neighbourhood_in_a_long_flow() -> None:
    told = failure(lambda: LONG.expect(got.acked(200), got.RST | got.FIN))

    assert str(told) == text("""
no got RST or got FIN after #43, and none before
expected: got ACK of 200 octets, then got RST or got FIN
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
    …    36 steps left out
    #40  +0.000390  sent  PSH ACK  181:191(10)      ack 1      win 64512
    #41  +0.000400  got   ACK      1:1(0)           ack 191    win 65536
    #42  +0.000410  sent  PSH ACK  191:201(10)      ack 1      win 64512
  > #43  +0.000420  got   ACK      1:1(0)           ack 201    win 65536   = got ACK of 200 octets
    #44  +0.000430  sent  PSH ACK  201:211(10)      ack 1      win 64512
    #45  +0.000440  got   ACK      1:1(0)           ack 211    win 65536
    #46  +0.000450  sent  PSH ACK  211:221(10)      ack 1      win 64512
    …    34 steps left out
    #81  +0.000800  got   ACK      1:1(0)           ack 391    win 65536
    #82  +0.000810  sent  PSH ACK  391:401(10)      ack 1      win 64512
    #83  +0.000820  got   ACK      1:1(0)           ack 401    win 65536
""")


def test_expect_on_an_empty_flow_says_so() -> None:
    told = failure(lambda: Flow.assemble([], NEAR, FAR, "tcp").expect(got.SYN_ACK))

    assert str(told) == text("""
no got SYN ACK in a flow without a step
expected: got SYN ACK
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    (nothing between these ends)
""")


# --- expect_only


def test_expect_only_shows_the_first_step_that_differs() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[4]).expect_only(sent.FIN, got.data(size=6), got.FIN))

    assert str(told) == text("""
#7 is not got data (6 octets): it carries 5 octets, not 6
expected: exactly sent FIN, then got data (6 octets), then got FIN
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512   = sent FIN
  > #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536   = not got data (6 octets)
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
    #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")
    assert told.cited == {6: "sent FIN", 7: "not got data (6 octets)"}


def test_expect_only_shows_what_is_too_much() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[7]).expect_only(got.FIN))

    assert str(told) == text("""
#10 is more than was expected
expected: exactly got FIN
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN
  > #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512   = more than was expected
""")


def test_expect_only_shows_what_is_wanting_at_the_end() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[7]).expect_only(got.FIN, sent.ACK, sent.FIN, got.ACK))

    assert str(told) == text("""
the flow ends with #10, without sent FIN, then got ACK
expected: exactly got FIN, then sent ACK, then sent FIN, then got ACK
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN
  > #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512   = sent ACK
""")


def test_expect_only_nothing_shows_what_is_there() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[8]).expect_only())

    assert str(told) == text("""
#10 is more than was expected
expected: exactly nothing
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
  > #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512   = more than was expected
""")


# --- expect_no


def test_expect_no_shows_what_should_not_be_there() -> None:
    told = failure(lambda: FLOW.after(FLOW.steps[4]).expect_no(got.FIN | got.data()))

    assert str(told) == text("""
got FIN or got data did appear, as #7 and #9
expected: no got FIN or got data
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #6   +0.000050  sent  FIN ACK  6:6(0)           ack 1      win 64512
  > #7   +0.000060  got   PSH ACK  1:6(5)           ack 7      win 65536   = got FIN or got data
    #8   +0.000070  sent  ACK      7:7(0)           ack 6      win 64512
  > #9   +0.000080  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN or got data
    #10  +0.000090  sent  ACK      7:7(0)           ack 7      win 64512
""")
    assert told.cited == {7: "got FIN or got data", 9: "got FIN or got data"}


def test_expect_no_names_a_few_of_many() -> None:
    told = failure(lambda: LONG.expect_no(got.acked(300)))

    assert str(told) == text("""
got ACK of 300 octets did appear, as #63, #65, #67 and 8 more
expected: no got ACK of 300 octets
the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240  mss 1460  wscale 7  sackOK
    #2   +0.000010  got   SYN ACK  0:0(0)           ack 1      win 65535  mss 1460  wscale 7  sackOK
    #3   +0.000020  sent  ACK      1:1(0)           ack 1      win 64256
    …    56 steps left out
    #60  +0.000590  sent  PSH ACK  281:291(10)      ack 1      win 64512
    #61  +0.000600  got   ACK      1:1(0)           ack 291    win 65536
    #62  +0.000610  sent  PSH ACK  291:301(10)      ack 1      win 64512
  > #63  +0.000620  got   ACK      1:1(0)           ack 301    win 65536   = got ACK of 300 octets
    #64  +0.000630  sent  PSH ACK  301:311(10)      ack 1      win 64512
  > #65  +0.000640  got   ACK      1:1(0)           ack 311    win 65536   = got ACK of 300 octets
    #66  +0.000650  sent  PSH ACK  311:321(10)      ack 1      win 64512
  > #67  +0.000660  got   ACK      1:1(0)           ack 321    win 65536   = got ACK of 300 octets
    #68  +0.000670  sent  PSH ACK  321:331(10)      ack 1      win 64512
  > #69  +0.000680  got   ACK      1:1(0)           ack 331    win 65536   = got ACK of 300 octets
    #70  +0.000690  sent  PSH ACK  331:341(10)      ack 1      win 64512
    …    10 steps left out
  > #81  +0.000800  got   ACK      1:1(0)           ack 391    win 65536   = got ACK of 300 octets
    #82  +0.000810  sent  PSH ACK  391:401(10)      ack 1      win 64512
  > #83  +0.000820  got   ACK      1:1(0)           ack 401    win 65536   = got ACK of 300 octets
""")
    assert len(told.cited) == 11


# --- the exception


def test_an_explanation_prints_as_the_exception_does() -> None:
    claim = (got.FIN, sent.FIN)
    missing = in_order(claim, FLOW.steps)

    assert isinstance(missing, Missing)
    assert str(explain(missing, FLOW)) == str(failure(lambda: FLOW.expect(*claim)))


def test_options_stand_behind_the_window_and_broken_ones_are_told() -> None:
    talk = Talk().sent("SYN", options=bytes.fromhex("080a0000000100000000 0204".replace(" ", "")))

    assert talk.flow().listing().splitlines()[1] == (
        "    #1   +0.000000  sent  SYN      0:0(0)                      win 512  ts"
        "  option 2 at octet 10 of 12 has length 4"
    )


def test_a_mismatch_on_the_wire_carries_its_parts() -> None:
    told = failure(lambda: FLOW.expect(got.FIN, sent.FIN))

    assert isinstance(told, Mismatch)
    assert told.expected == "got FIN, then sent FIN"
    assert told.actual == "no sent FIN after #9; it did appear earlier, as #6"
    assert told.details[0] == "the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171"
    assert str(told).splitlines() == [told.actual, f"expected: {told.expected}", *told.details]
