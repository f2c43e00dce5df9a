"""A flow gives a packet its numbers: relative, unwrapped, scaled, and of the right connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.payload import octets
from harness.tests.wire.craft import (
    FAR,
    FAR6,
    NEAR,
    NEAR6,
    SYN_OPTIONS,
    Talk,
    half_close,
    icmp_frame,
    ip,
    tcp,
    tcp_frame,
    udp,
)
from harness.wire.decode import decode
from harness.wire.flow import Flow, by_ends
from harness.wire.pattern import got, sent
from harness.wire.segment import Endpoint, Truncated
from harness.wire.step import Step


def relative(flow: Flow) -> list[tuple[int, int, int]]:
    return [(step.seq, step.ack, step.window) for step in flow.steps]


# --- numbers


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_relative_numbers_do_not_depend_on_the_initial_ones(near_initial: int, far_initial: int) -> None:
    talk = Talk(near_initial=near_initial, far_initial=far_initial).handshake()
    talk.sent("ACK", 1, 1, b"hello").got("ACK", 1, 6).got("FIN ACK", 1, 6)

    assert relative(talk.flow()) == [
        (0, 0, 64240),
        (0, 1, 65535),
        (1, 1, 502 << 7),
        (1, 1, 512 << 7),
        (1, 6, 512 << 7),
        (1, 6, 512 << 7),
    ]


def test_the_numbers_are_the_same_over_ipv6() -> None:
    assert relative(Talk(NEAR6, FAR6).handshake().flow()) == relative(Talk().handshake().flow())


def test_a_step_gives_the_segment_that_it_is() -> None:
    step = half_close().flow().steps[0]

    assert step.segment is step.packet
    with pytest.raises(TypeError, match=r"datagram .* is no segment$"):
        _ = Talk().sent_datagram(b"x").datagrams().steps[0].segment


def test_a_step_tells_the_number_behind_it_and_the_right_edge() -> None:
    syn, _, _, data, _, fin, *_ = half_close().flow().steps

    assert (syn.end, data.end, fin.end) == (1, 6, 7)
    assert fin.right_edge == 1 + 64512
    assert (syn.place, data.place) == (0, 0)
    assert [fin.number, fin.time_ns, fin.since_ns] == [6, 1_700_000_000_000_050_000, 50_000]


def test_a_stream_longer_than_the_number_space_counts_on() -> None:
    talk = Talk().handshake()
    for turn in range(1, 13):
        talk.sent("ACK", turn * (1 << 29), 1).got("ACK", 1, turn * (1 << 29))

    flow = talk.flow()

    assert flow.steps[-2].seq == flow.steps[-1].ack == 12 << 29


def test_a_forged_number_does_not_lead_the_count_astray() -> None:
    talk = Talk().handshake()
    talk.got("RST", 0x7FFFFFFF).got("RST", 0x7FFFFFFF - 0x100000000 + 0x7FFFFFFF).got("ACK", 1, 1)

    assert talk.flow().steps[-1].seq == 1


@pytest.mark.parametrize(
    ("near_options", "far_options", "window"),
    [
        (SYN_OPTIONS, SYN_OPTIONS, 512 << 7),
        (SYN_OPTIONS, b"", 512),
        (b"", SYN_OPTIONS, 512),
        (SYN_OPTIONS, bytes.fromhex("030314"), 512 << 14),
        (SYN_OPTIONS, bytes.fromhex("030300"), 512),
    ],
    ids=["both", "near only", "far only", "20 counts as 14", "0"],
)
def test_windows_are_scaled_only_if_both_ends_offered_it(near_options: bytes, far_options: bytes, window: int) -> None:
    talk = Talk().sent("SYN", options=near_options).got("SYN ACK", 0, 1, options=far_options).got("ACK", 1, 1)

    assert talk.flow().steps[-1].window == window


def test_sack_blocks_are_relative() -> None:
    talk = Talk(near_initial=0xFFFFFFFE).handshake()
    talk.got("ACK", 1, 1, options=bytes.fromhex("0101050a") + (9).to_bytes(4, "big") + (19).to_bytes(4, "big"))

    assert talk.flow().steps[-1].sack == ((11, 21),)


# --- SYN not captured


def test_without_a_syn_the_first_number_seen_counts_as_one_and_that_is_said() -> None:
    talk = Talk().sent("ACK", 5000, 700, b"hello").got("ACK", 700, 5005).got("ACK", 690, 5005, b"0123456789")

    flow = talk.flow()

    assert [(step.seq, step.ack) for step in flow.steps] == [(1, 1), (1, 6), (-9, 6)]
    assert flow.remarks == (
        "no SYN of 10.9.0.1:47732 in the capture: its first number seen counts as 1, windows may be unscaled",
        "no SYN of 10.9.0.2:35171 in the capture: its first number seen counts as 1, windows may be unscaled",
    )


def test_what_the_other_end_acknowledges_counts_as_seen() -> None:
    flow = Talk().got("ACK", 1, 100).sent("ACK", 105, 1, b"later").flow()

    assert [(step.seq, step.ack) for step in flow.steps] == [(1, 1), (6, 1)]


def test_a_refused_connection_has_plain_numbers_and_nothing_to_remark() -> None:
    talk = Talk().sent("SYN", options=SYN_OPTIONS).got("RST ACK", seq=0, ack=1)
    talk.frames[-1] = talk.frames[-1]._replace(octets=tcp_frame(FAR, NEAR, "RST ACK", seq=0, ack=1001))

    flow = talk.flow()

    assert [(step.seq, step.ack) for step in flow.steps] == [(0, 0), (0, 1)]
    assert flow.remarks == ()


# --- streams


@given(st.permutations(range(10)), st.lists(st.tuples(st.integers(0, 99), st.integers(1, 40)), max_size=10))
def test_the_stream_is_in_order_however_its_segments_came(order: list[int], again: list[tuple[int, int]]) -> None:
    stream = octets(100)
    talk = Talk().handshake()
    for start, size in [*again, *((10 * place, 10) for place in order)]:
        talk.got("ACK", 1 + start, 1, stream[start : start + size])

    flow = talk.flow()

    assert flow.stream(got) == stream
    assert flow.octets(got) == 100
    assert (flow.stream(sent), flow.octets(sent)) == (b"", 0)


def test_the_stream_ends_at_the_first_hole_and_octets_count_on() -> None:
    flow = Talk().handshake().got("ACK", 1, 1, b"abc").got("ACK", 5, 1, b"efg").flow()

    assert flow.stream(got) == b"abc"
    assert flow.octets(got) == 6


def test_data_in_a_syn_is_the_beginning_of_the_stream() -> None:
    assert Talk().sent("SYN", data=b"early").sent("ACK", 6, 1, b" bird").flow().stream(sent) == b"early bird"


def test_a_keep_alive_probe_with_one_stale_octet_adds_nothing() -> None:
    assert Talk().handshake().sent("ACK", 0, 1, b"\x00").flow().octets(sent) == 0


def test_the_text_in_a_reset_belongs_to_no_stream() -> None:
    flow = Talk().handshake().got("ACK", 1, 1, b"abc").got("RST ACK", 4, 1, b"no listener").flow()

    assert flow.stream(got) == b"abc"
    assert flow.octets(got) == 3


# --- which packets


def test_a_flow_has_only_the_packets_of_its_ends() -> None:
    stranger = Endpoint(NEAR.host, 1)
    talk = Talk().handshake()
    talk.put(True, tcp_frame(stranger, FAR, "SYN")).sent_datagram(b"same ports").sent("ACK", 1, 1)

    assert [step.number for step in talk.flow().steps] == [1, 2, 3, 6]
    assert [step.number for step in talk.datagrams().steps] == [5]


def test_who_sent_is_told_by_the_address_and_not_by_the_tap() -> None:
    talk = half_close()
    talk.frames = [each._replace(sent=False) for each in talk.frames]

    assert [step.sent for step in talk.flow().steps] == [step.sent for step in half_close().flow().steps]


def test_seen_from_the_other_end_sent_and_got_change_places() -> None:
    flow = Flow.assemble(decode(half_close().frames), FAR, NEAR, "tcp")

    assert flow.stream(sent) == half_close().flow().stream(got)


def test_icmp_errors_go_with_the_flow_that_they_quote() -> None:
    talk = Talk().sent_datagram(b"hello")
    quoted = ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello"))
    talk.put(False, icmp_frame(FAR.host, NEAR.host, 3, 3, quoted))

    flow = talk.datagrams()

    assert flow.expect(sent.datagram(b"hello"), got.icmp("port unreachable"))[1].since_ns == 10_000
    flow.expect_no(sent.icmp())
    assert talk.flow().steps == ()


def test_an_icmp_error_about_a_segment_of_the_subject_was_sent_by_the_probe() -> None:
    quoted = ip(FAR.host, NEAR.host, 6, tcp(FAR, NEAR, "ACK"))
    talk = Talk().handshake().put(True, icmp_frame(NEAR.host, FAR.host, 3, 1, quoted))

    assert talk.flow().expect(sent.icmp("host unreachable")).number == 4


def test_what_could_not_be_read_is_kept_apart_as_missing_evidence() -> None:
    talk = half_close()
    whole = talk.frames[6]
    talk.frames[6] = whole._replace(octets=whole.octets[:56])

    flow = talk.flow()

    assert [type(packet) for packet in flow.unreadable] == [Truncated]
    assert len(flow.steps) == 9


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="a flow is of tcp or udp, not of 'TCP'"):
        Flow.assemble([], NEAR, FAR, "TCP")


def test_a_flow_prints_on_one_line() -> None:
    assert str(half_close().flow()) == "tcp 10.9.0.1:47732 <-> 10.9.0.2:35171, 10 steps"


def test_nothing_between_two_ends_is_an_empty_flow() -> None:
    flow = Flow.assemble([], NEAR, FAR, "tcp")

    assert (flow.steps, flow.remarks, flow.stream(got), flow.octets(got)) == ((), (), b"", 0)


def test_packets_can_be_sorted_by_flow_in_one_pass() -> None:
    packets = decode(Talk().handshake().sent_datagram(b"x").put(False, bytes(60)).frames)

    assert {key: len(own) for key, own in by_ends(packets).items()} == {
        ("tcp", frozenset((NEAR, FAR))): 3,
        ("udp", frozenset((NEAR, FAR))): 1,
    }


# --- ports used again


def ended_by_fin() -> Talk:
    return half_close().sent("FIN ACK", 7, 7)


def ended_by_reset() -> Talk:
    return Talk().handshake().got("RST", 1)


def ended_by_reset_with_ack() -> Talk:
    return Talk().handshake().sent("ACK", 1, 1, b"hello").sent("RST ACK", 6, 1)


def never_answered() -> Talk:
    return Talk().sent("SYN").sent("SYN")


def refused() -> Talk:
    return Talk(far_initial=0).sent("SYN").got("RST ACK", 0, 1)


@pytest.mark.parametrize("ended", [half_close, ended_by_reset, ended_by_reset_with_ack, never_answered, refused])
def test_a_syn_after_the_end_begins_a_new_connection(ended: type[Talk]) -> None:
    talk = ended()
    old = len(talk.frames)
    again = Talk(near_initial=5_000_000, far_initial=9, frames=talk.frames).handshake()

    flows = Flow.assemble_all(decode(again.frames), NEAR, FAR, "tcp")

    assert [len(flow.steps) for flow in flows] == [old, 3]
    assert [(step.seq, step.ack) for step in again.flow().steps] == [(0, 0), (0, 1), (1, 1)]
    assert again.flow().steps[0].since_ns == 0


def blind_reset() -> Talk:
    """A reset inside the window, but not at the number awaited, is only challenged (RFC 5961 3.2)."""
    return Talk().handshake().got("ACK", 1, 1).sent("RST", 100)


def crossing_syns() -> Talk:
    return Talk(near_initial=5_000_000).got("SYN")


@pytest.mark.parametrize("alive", [lambda: Talk().handshake(), blind_reset, crossing_syns])
def test_a_strange_syn_into_a_living_connection_stays_in_it(alive: type[Talk]) -> None:
    talk = alive()
    talk.put(True, tcp_frame(NEAR, FAR, "SYN", seq=5_000_000))

    (flow,) = Flow.assemble_all(decode(talk.frames), NEAR, FAR, "tcp")

    assert len(flow.steps) == len(talk.frames)


def test_a_repeated_syn_is_the_same_connection() -> None:
    talk = Talk().sent("SYN", options=SYN_OPTIONS).handshake()

    assert len(talk.flow().steps) == 4


# --- parts of a flow


def test_a_part_of_a_flow_keeps_the_numbers_of_the_whole() -> None:
    flow = half_close().flow()
    fin = flow.expect(sent.FIN)

    assert (*flow.before(fin).steps, fin, *flow.after(fin).steps) == flow.steps
    assert flow.after(fin).expect_only(got.data(b"hello"), sent.bare_ack(), got.FIN, sent.acked(6))[0].seq == 1
    flow.after(fin).expect_no(sent.data())


def test_datagrams_are_counted_and_are_no_stream() -> None:
    flow = Talk().sent_datagram(b"a").got_datagram(b"b").got_datagram(b"b").got_datagram(b"").datagrams()

    assert (flow.octets(sent), flow.octets(got)) == (1, 2)
    assert [step.data for step in flow.pick(got.datagram())] == [b"b", b"b", b""]
    with pytest.raises(ValueError, match="datagrams are no stream"):
        flow.stream(got)


def test_claims_return_what_they_matched() -> None:
    flow = half_close().flow()

    assert isinstance(flow.expect(got.FIN), Step)
    assert [step.number for step in flow.expect(sent.FIN, got.FIN)] == [6, 9]
    assert flow.expect_only(*[got.ACK | sent.ACK | sent.SYN] * 10) == flow.steps
    flow.expect_no(got.RST)
    with pytest.raises(ValueError, match="nothing is expected"):
        flow.expect()  # type: ignore[call-overload]  # the slip that is tested
