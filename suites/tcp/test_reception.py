"""What becomes of segments that arrive twice, too early, overlapping or beside the window (RFC 9293 3.10.7.4; SACK).

The subject is the kernel's TCP, the sender a raw peer: it puts octets where it likes. Whatever the order, the program
reads each octet once, and what was acknowledged can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import NotApplicable, State, control, covers, got, octets, option, sent

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Runtime, Serve, Subject

SACK = option.mss(1400) + option.SACK_PERMITTED


@control()
def established(
    serve: Serve, raw: Raw, options: bytes | None = None, *, timestamps: bool = False
) -> tuple[Subject, RawPeer]:
    """A subject, and a raw peer that it has accepted."""
    subject = serve()
    peer = raw.connect(subject, options, timestamps=timestamps)
    subject.tell("accept")
    return subject, peer


def read(subject: Subject, size: int) -> bytes:
    """The next octets that the program reads: 16 of them at most."""
    return bytes.fromhex(subject.tell(f"read-exactly {size}")["first"])


@covers("rfc9293:SHLD-31", "rfc9293:MAY-13")
def test_early_segment_is_kept(serve: Serve, raw: Raw) -> None:
    """A segment above a hole is kept, and need not be sent again when the hole is filled."""
    subject, peer = established(serve, raw)

    peer.send("PSH ACK", b"second", seq=6)
    peer.expect(got.bare_ack() & got.segment(ack=1))
    peer.send("PSH ACK", b"first", seq=1)

    peer.expect(got.bare_ack() & got.segment(ack=12))
    assert read(subject, 11) == b"firstsecond"


@covers("rfc5681:3.2/immediate-dup-ack-on-gap")
def test_every_early_segment_is_acknowledged_at_once(serve: Serve, raw: Raw) -> None:
    """Each segment above a hole draws a duplicate ACK before anything else happens: the sender counts them."""
    _, peer = established(serve, raw)

    for place in (1001, 2001, 3001):
        peer.send("PSH ACK", b"early", seq=place)

    for _ in range(3):
        peer.expect_at_once(got.bare_ack() & got.segment(ack=1))
    peer.expect_silence()


@covers("rfc5681:3.2/immediate-ack-when-gap-filled")
def test_filled_hole_is_acknowledged_at_once(serve: Serve, raw: Raw) -> None:
    """What fills a hole, in part or whole, is acknowledged up to the next hole without delay."""
    _, peer = established(serve, raw)
    peer.send("PSH ACK", b"three", seq=11)
    peer.send("PSH ACK", b"five.", seq=21)
    peer.expect(got.segment(ack=1))
    peer.expect(got.segment(ack=1))

    peer.send("PSH ACK", b"one..two..", seq=1)
    peer.expect_at_once(got.segment(ack=16))
    peer.send("PSH ACK", b"four.", seq=16)
    peer.expect_at_once(got.segment(ack=26))


@covers("rfc9293:3.10.7.4/old-duplicate-data-re-acked")
def test_old_segment_is_acknowledged_again_and_not_read_again(serve: Serve, raw: Raw) -> None:
    """A segment that was there already draws an ACK of what is expected, and the program reads it once."""
    subject, peer = established(serve, raw)
    peer.send("PSH ACK", b"once")
    peer.expect(got.segment(ack=5))

    peer.send("PSH ACK", b"once", seq=1)
    peer.expect(got.bare_ack() & got.segment(ack=5))
    peer.send("PSH ACK", b" and for all")

    assert read(subject, 16) == b"once and for all"


@covers("rfc9293:3.10.7.4/overlap-trimmed-to-new-bytes")
@pytest.mark.parametrize("early", [False, True], ids=["behind_old", "before_queued"])
def test_overlapping_segment_gives_its_new_octets_alone(serve: Serve, raw: Raw, early: bool) -> None:
    """Of a segment that straddles what is there and what is new the new part counts."""
    subject, peer = established(serve, raw)

    peer.send("PSH ACK", b"defgh" if early else b"abcde", seq=4 if early else 1)
    peer.send("PSH ACK", b"abcdef" if early else b"cdefgh", seq=1 if early else 3)

    peer.expect(got.segment(ack=9))
    assert read(subject, 8) == b"abcdefgh"


@covers("rfc9293:3.10.7.4/conflicting-overlap-keeps-one-copy")
def test_conflicting_overlap_gives_one_of_both(serve: Serve, raw: Raw) -> None:
    """Where two segments say different octets for one place, the program reads one of them, and no mixture."""
    subject, peer = established(serve, raw)

    peer.send("PSH ACK", b"BBBB", seq=5)
    peer.send("PSH ACK", b"aaaabbbbcccc", seq=1)

    peer.expect(got.segment(ack=13))
    assert read(subject, 12) in {b"aaaabbbbcccc", b"aaaaBBBBcccc"}, "the octets of one segment, whole"


@covers("rfc9293:3.10.7.4/beyond-window-data-is-rejected")
def test_octets_beyond_the_window_are_rejected(serve: Serve, raw: Raw) -> None:
    """A segment behind the right edge draws an ACK, and its octets are not kept for later: SACK would report them."""
    subject, peer = established(serve, raw, SACK)
    edge = peer.flow().pick(got.SYN)[0].window + 1

    peer.send("PSH ACK", b"too far", seq=edge)

    answer = peer.expect(got.bare_ack() & got.segment(ack=1))
    assert answer.sack == (), "nothing above the next octet is kept"
    assert subject.sockets(State.ESTABLISHED)[0]["unread"] == 0
    peer.send("PSH ACK", b"in place")
    peer.expect(got.segment(ack=9))
    assert read(subject, 8) == b"in place"


@covers("rfc9293:3.10.7.4/segment-without-ack-dropped")
@pytest.mark.parametrize("flags", ["PSH", "FIN", ""], ids=["psh", "fin", "none"])
def test_segment_without_ack_is_dropped(serve: Serve, raw: Raw, flags: str) -> None:
    """A segment of a standing connection that acknowledges nothing delivers nothing, not even a FIN."""
    subject, peer = established(serve, raw)

    peer.send(flags, b"wrong", seq=1)
    peer.expect_silence()

    peer.send("PSH ACK", b"right")
    peer.expect(got.segment(ack=6))
    assert read(subject, 5) == b"right"


@covers("rfc9293:3.10.7.4/ack-of-unsent-data-answered", "rfc5961:5.2/future-ack-value-discarded")
@pytest.mark.parametrize("ack", [2, 1 << 30], ids=["next", "far"])
def test_acknowledgment_of_what_was_never_sent_is_answered(serve: Serve, raw: Raw, ack: int) -> None:
    """An ACK above what the subject has sent draws an ACK, and the octets beside it are not taken."""
    subject, peer = established(serve, raw)

    peer.send("PSH ACK", b"wrong", seq=1, ack=ack)

    peer.expect(got.bare_ack() & got.segment(seq=1, ack=1))
    peer.send("PSH ACK", b"right")
    peer.expect(got.segment(ack=6))
    assert read(subject, 5) == b"right"


@covers("rfc9293:3.4/sequence-number-wrap-works")
def test_sequence_numbers_may_wrap(serve: Serve, raw: Raw) -> None:
    """A stream goes on across number 0, early segments and FIN too."""
    subject = serve()
    peer = raw.peer(subject, iss=0xFFFFFFFF - 10)
    peer.handshake()
    subject.tell("accept")

    peer.send("FIN PSH ACK", b"behind it", seq=17)
    peer.send("PSH ACK", b"before the wrap,", seq=1)

    peer.expect(got.segment(ack=27))
    seen = subject.tell("drain")
    assert (seen["size"], seen["ending"]) == (25, "EOF")
    assert bytes.fromhex(seen["last"]) == b"e wrap,behind it"


@covers("rfc9293:MUST-40", "rfc5681:4.2/ack-within-500-ms")
def test_acknowledgment_is_delayed_by_less_than_half_a_second(serve: Serve, raw: Raw) -> None:
    """Whatever the subject waits for, each single segment is acknowledged within 0.5 s."""
    _, peer = established(serve, raw)

    for turn in range(30):  # quick at first, then delayed
        peer.send("PSH ACK", b"one")
        answer = peer.expect(got.segment(ack=4 + 3 * turn))
        asked = peer.flow().pick(sent.data())[-1]
        delay = (answer.since_ns - asked.since_ns) / 1e9
        assert delay < 0.5, f"acknowledged after {delay:.3f} s"
        if delay > 0.01:
            break


@covers("rfc9293:SHLD-18", "rfc9293:MUST-58")
def test_acknowledgments_are_fewer_than_segments(serve: Serve, raw: Raw) -> None:
    """Of many full segments that come behind each other not each one is acknowledged for itself."""
    subject, peer = established(serve, raw, option.mss(1000))
    text = octets(40 * 1000)
    subject.tell_later(f"read-exactly {len(text)}")

    for place in range(0, len(text), 1000):
        peer.send("ACK", text[place : place + 1000])
    peer.expect(got.segment(ack=1 + len(text)))

    assert subject.answer()["size"] == len(text)
    acknowledgments = len(peer.flow().pick(got.bare_ack()))
    assert acknowledgments < 40, f"{acknowledgments} acknowledgments of 40 segments"


@covers("rfc9293:SHLD-19")
def test_two_full_segments_are_acknowledged_without_delay(serve: Serve, raw: Raw) -> None:
    """Of full segments every second one at least is acknowledged before anything else happens."""
    subject, peer = established(serve, raw)
    full = peer.flow().pick(got.SYN)[0].segment.options.mss or 0

    for turn in range(10):
        subject.tell_later(f"read-exactly {2 * full}")
        peer.send("ACK", octets(full))
        peer.send("ACK", octets(full))
        assert subject.answer()["size"] == 2 * full
        left = peer.snd_nxt - peer.flow().pick(got.ACK)[-1].ack
        assert left < 2 * full, f"turn {turn}: of {2 * full} octets in two segments {left} are unacknowledged"


@covers("rfc5681:4.2/no-more-than-one-ack-per-segment")
def test_no_segment_draws_two_acknowledgments(serve: Serve, raw: Raw) -> None:
    """Segments in order draw one ACK each at most, beside what tells of a larger window."""
    subject, peer = established(serve, raw)

    for turn in range(20):
        peer.send("PSH ACK", b"one")
        peer.expect(got.segment(ack=4 + 3 * turn))

    acks = [step.ack for step in peer.flow().pick(got.bare_ack())]
    assert len(acks) == len(set(acks)), "no number is acknowledged twice"
    assert subject.tell("read-exactly 60")["size"] == 60


# -- selective acknowledgment -----------------------------------------------------------------------------------------


@covers("rfc2018:4/no-sack-unless-permitted")
def test_no_sack_without_permission(serve: Serve, raw: Raw) -> None:
    """To a peer that did not permit it no SACK is sent, whatever the holes."""
    _, peer = established(serve, raw, option.mss(1400))

    peer.send("PSH ACK", b"early", seq=1001)

    answer = peer.expect(got.bare_ack())
    assert answer.sack == (), "no SACK option"


@covers("rfc2018:4/first-block-is-newest", "rfc2018:4/older-blocks-repeated", "rfc2018:3/sack-block-limits")
@pytest.mark.parametrize("timestamps", [False, True], ids=["plain", "timestamps"])
def test_sack_tells_the_newest_block_first(serve: Serve, raw: Raw, timestamps: bool) -> None:
    """The first block holds what came last, the others what was told before, as many as there is room for."""
    _, peer = established(serve, raw, SACK, timestamps=timestamps)
    blocks: list[tuple[int, int]] = []

    for place in (1001, 2001, 3001, 4001, 5001):
        peer.send("PSH ACK", b"early", seq=place)
        blocks.insert(0, (place, place + 5))
        answer = peer.expect(got.bare_ack() & got.segment(ack=1))
        assert answer.sack == tuple(blocks[: 3 if timestamps else 4]), "the newest block stands first"


@covers("rfc2018:4/sack-in-all-eligible-acks")
def test_sack_stays_until_the_hole_is_filled(serve: Serve, raw: Raw) -> None:
    """Every ACK below what is queued has a SACK block, also one for data in order; the one that covers all has none."""
    _, peer = established(serve, raw, SACK)
    peer.send("PSH ACK", b"early", seq=11)
    peer.expect(got.bare_ack())

    peer.send("PSH ACK", b"first", seq=1)
    below = peer.expect(got.segment(ack=6))
    peer.send("PSH ACK", b"filly", seq=6)
    whole = peer.expect(got.segment(ack=16))

    assert (below.sack, whole.sack) == (((11, 16),), ())


@covers("rfc2018:4/first-block-is-newest")
def test_sack_joins_what_touches(serve: Serve, raw: Raw) -> None:
    """Segments that touch each other are one block, and it stands first when the last of them has come."""
    _, peer = established(serve, raw, SACK)

    for place in (101, 301, 106):
        peer.send("PSH ACK", b"early", seq=place)
    answers = [peer.expect(got.bare_ack()) for _ in range(3)]

    assert answers[-1].sack == ((101, 111), (301, 306)), "the block that has just grown stands first"


@covers("rfc2883:4/d-sack-reports-duplicate-segment", "rfc2883:4/each-duplicate-reported-once")
def test_duplicate_is_reported_once(serve: Serve, raw: Raw) -> None:
    """The ACK that answers a duplicate names exactly its octets, below the ACK; the next ACK does not."""
    _, peer = established(serve, raw, SACK)
    peer.send("PSH ACK", b"doubled")
    peer.expect(got.segment(ack=8))

    peer.send("PSH ACK", b"doubled", seq=1)
    told = peer.expect(got.segment(ack=8))
    peer.send("PSH ACK", b"next")
    following = peer.expect(got.segment(ack=12))

    assert (told.sack, following.sack) == (((1, 8),), ())


@covers("rfc2883:4/d-sack-for-queued-duplicates")
def test_duplicate_of_a_queued_segment_is_reported_within_its_block(serve: Serve, raw: Raw) -> None:
    """Of a duplicate above a hole the first block names the duplicate, the second all that is queued around it."""
    _, peer = established(serve, raw, SACK)
    peer.send("PSH ACK", b"0123456789", seq=101)
    peer.expect(got.bare_ack())

    peer.send("PSH ACK", b"34567", seq=104)

    told = peer.expect(got.bare_ack()).sack
    assert told == ((104, 109), (101, 111)), "first the duplicate, then the block that it lies in"


# -- timestamps -------------------------------------------------------------------------------------------------------


@covers("rfc7323:3.2/timestamps-on-every-segment", "rfc7323:3.2/tsval-echoed-in-tsecr")
def test_timestamps_stand_on_every_segment_and_are_echoed(serve: Serve, raw: Raw) -> None:
    """Once agreed, ACK, data and FIN have timestamps, and each echoes what was sent last."""
    subject, peer = established(serve, raw, timestamps=True)

    peer.send("PSH ACK", b"hello")
    answer = peer.expect(got.acked(5))
    echoed = answer.segment.options.timestamps
    subject.tell("send 68656c6c6f")
    subject.tell("half-close")
    peer.expect(got.FIN)

    assert echoed is not None, "the ACK has timestamps"
    assert echoed[1] == 3, "it echoes the third of ours"
    peer.flow().expect_no(got.segment(timestamps=False))


@covers("rfc7323:3.2/tsecr-zero-without-ack")
def test_a_syn_echoes_no_timestamp(runtime: Runtime, raw: Raw) -> None:
    """Who opens has heard nothing yet: where its SYN has timestamps, what they echo is 0."""
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(ours), port=7)
    ours.begin.connect(tuple(peer.near))

    told = peer.expect(got.SYN).segment.options.timestamps

    if told is None:
        raise NotApplicable("the SYN has no timestamps")
    assert told[1] == 0


@covers("rfc7323:3.2/timestamps-on-rst")
def test_a_reset_has_timestamps_too(serve: Serve, raw: Raw) -> None:
    """A connection that has agreed to timestamps has them on its last segment, too, where that is a RST."""
    subject, peer = established(serve, raw, timestamps=True)

    subject.tell("reset")

    assert peer.expect(got.RST).segment.options.timestamps is not None


@covers("rfc7323:4.3/delayed-ack-echoes-earliest-tsval")
def test_one_acknowledgment_of_two_segments_echoes_the_first(serve: Serve, raw: Raw) -> None:
    """What is echoed tells how long an answer took, waiting for the second segment included."""
    subject = serve()
    peer = raw.connect(subject, option.mss(1400) + option.timestamps(1), timestamps=False)
    subject.tell("accept")

    for turn in range(40):  # acknowledged at once at first, then two at a time
        for place in (1, 2):
            peer.send("PSH ACK", b"some", options=option.timestamps(10 * turn + 10 * place))
        before = peer.flow().pick(got.segment(ack=peer.snd_nxt - 4))
        both = peer.expect(got.segment(ack=peer.snd_nxt))
        if not before:
            break
    else:
        raise NotApplicable("each segment is acknowledged by itself")

    echoed = both.segment.options.timestamps
    assert echoed is not None, "it has timestamps"
    assert echoed[1] == 10 * turn + 10, f"the first of them had {10 * turn + 10}"


@covers("rfc7323:5.4/timestamp-clock-rate-sane")
@pytest.mark.slow  # 1.4 s
def test_the_clock_of_timestamps_ticks(serve: Serve, raw: Raw) -> None:
    """It moves on between segments that a timer sends again: once a second at least, and once in 59 ns at most."""
    subject, peer = established(serve, raw, timestamps=True)
    peer.acknowledges = False

    subject.tell("send 68656c6c6f")
    first, *_, last = (peer.expect(got.data()) for _ in range(4))

    before, behind = first.segment.options.timestamps, last.segment.options.timestamps
    seconds = (last.since_ns - first.since_ns) / 1e9
    assert before is not None, "the first has timestamps"
    assert behind is not None, "the last has timestamps"
    ticks = (behind[0] - before[0]) % (1 << 32)
    assert max(1, seconds - 1) <= ticks <= seconds / 59e-9, f"{ticks} ticks in {seconds:.1f} s"


@covers("rfc7323:3.2/unnegotiated-timestamps-ignored")
def test_timestamps_that_were_not_agreed_mean_nothing(serve: Serve, raw: Raw) -> None:
    """Timestamps on a connection without them are passed over, however old; the answer has none."""
    subject, peer = established(serve, raw)

    peer.send("PSH ACK", b"one", options=option.timestamps(1_000_000))
    peer.send("PSH ACK", b"two", options=option.timestamps(1))

    peer.expect(got.acked(6) & got.segment(timestamps=False))
    assert read(subject, 6) == b"onetwo"


@covers("rfc7323:3.2/missing-timestamp-never-aborts")
def test_missing_timestamps_abort_nothing(serve: Serve, raw: Raw) -> None:
    """A segment without timestamps on a connection that has them is taken or dropped, and nothing breaks."""
    subject, peer = established(serve, raw, timestamps=True)

    peer.send("PSH ACK", b"bare", options=b"")
    peer.flow().expect_no(got.RST)
    peer.send("PSH ACK", b"bare", seq=1)

    peer.expect(got.acked(4))
    assert read(subject, 4) == b"bare"


@covers("rfc7323:3.2/missing-timestamp-segment-dropped")
def test_segment_without_timestamps_is_dropped_where_they_were_agreed(serve: Serve, raw: Raw) -> None:
    """Who has agreed to timestamps puts them on every segment: one without is not acknowledged."""
    _, peer = established(serve, raw, timestamps=True)

    peer.send("PSH ACK", b"bare", options=b"")

    peer.flow().expect_no(got.acked(4))


@covers("rfc7323:5.3/paws-rejects-old-timestamps")
def test_older_timestamp_is_rejected(serve: Serve, raw: Raw) -> None:
    """A segment whose timestamp is older than the last one is a stray from before: an ACK answers, nothing is read."""
    subject = serve()
    peer = raw.connect(subject, option.mss(1400) + option.timestamps(5000), timestamps=False)
    subject.tell("accept")
    new, old = option.timestamps(6000), option.timestamps(4000)

    peer.send("PSH ACK", b"new ", options=new)
    peer.expect(got.acked(4))
    peer.send("PSH ACK", b"old!", seq=5, options=old)
    peer.expect(got.bare_ack() & got.segment(ack=5))
    peer.send("PSH ACK", b"good", options=option.timestamps(6001))

    peer.expect(got.acked(8))
    assert read(subject, 8) == b"new good"


@covers("rfc7323:5.2/rst-not-subject-to-paws")
def test_reset_with_an_old_timestamp_counts(serve: Serve, raw: Raw) -> None:
    """A RST is not asked how old it is: its number alone decides."""
    subject = serve()
    peer = raw.connect(subject, option.mss(1400) + option.timestamps(5000), timestamps=False)
    subject.tell("accept")
    peer.send("PSH ACK", b"new", options=option.timestamps(6000))
    peer.expect(got.acked(3))

    peer.send("RST ACK", options=option.timestamps(1))

    peer.expect_silence()
    assert subject.sockets() == [], "the connection is gone"


@covers("rfc7323:4.3/out-of-order-segment-does-not-update-echo")
def test_early_segment_is_not_echoed(serve: Serve, raw: Raw) -> None:
    """The echo is that of the last segment in order; one above a hole changes it only when the hole is filled."""
    subject = serve()
    peer = raw.connect(subject, option.mss(1400) + option.timestamps(5000), timestamps=False)
    subject.tell("accept")
    peer.send("PSH ACK", b"one", options=option.timestamps(5001))
    peer.expect(got.acked(3))

    peer.send("PSH ACK", b"six", seq=7, options=option.timestamps(5003))
    early = peer.expect(got.bare_ack())
    peer.send("PSH ACK", b"two", seq=4, options=option.timestamps(5002))
    filled = peer.expect(got.segment(ack=10))

    echoes = [(step.segment.options.timestamps or (0, 0))[1] for step in (early, filled)]
    assert echoes == [5001, 5002], "first the last in order, then what filled the hole"


# -- urgent data ------------------------------------------------------------------------------------------------------


@covers("rfc9293:MUST-30", "rfc9293:MUST-31")
def test_urgent_data_arrives_with_the_stream(serve: Serve, raw: Raw) -> None:
    """Octets marked urgent, many of them, arrive; with SO_OOBINLINE they stand in the stream where they were sent."""
    subject, peer = established(serve, raw)
    subject.tell("option SOL_SOCKET SO_OOBINLINE 1")

    peer.send("PSH ACK URG", b"urgent, all of it" * 50, urgent=850)
    peer.send("PSH ACK", b"calm")

    peer.expect(got.acked(854))
    assert subject.tell("read-exactly 854")["last"] == b"nt, all of itcalm"[-16:].hex()
