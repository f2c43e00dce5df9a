"""Octets come in order whatever the order, the doubles and the overlaps of their pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.payload import octets
from harness.wire.reassembly import distinct, join, lay

STREAM = octets(300)
spans = st.lists(st.tuples(st.integers(0, 299), st.integers(0, 80)), max_size=40)


def pieces_of(stream: bytes, places: list[tuple[int, int]]) -> list[tuple[int, bytes]]:
    return [(start, stream[start : start + size]) for start, size in places]


@given(spans)
def test_pieces_of_one_stream_join_up_to_the_first_hole(places: list[tuple[int, int]]) -> None:
    pieces = pieces_of(STREAM, places)
    seen = {place for start, piece in pieces for place in range(start, start + len(piece))}
    hole = next(place for place in range(len(STREAM) + 1) if place not in seen)

    assert join(pieces) == STREAM[:hole]
    assert distinct(pieces) == len(seen)


@given(spans)
def test_laid_pieces_are_in_order_and_do_not_overlap(places: list[tuple[int, int]]) -> None:
    laid = lay(pieces_of(STREAM, places))

    ends = [start + len(piece) for start, piece in laid]
    assert all(end <= start for end, (start, _) in zip(ends, laid[1:], strict=False))
    assert all(STREAM[start : start + len(piece)] == piece for start, piece in laid)


@given(st.lists(st.tuples(st.integers(-10, 60), st.binary(max_size=20)), max_size=20))
def test_of_overlapping_octets_the_first_that_came_counts(pieces: list[tuple[int, bytes]]) -> None:
    first: dict[int, int] = {}
    for start, piece in pieces:
        for place, octet in enumerate(piece, start):
            if place >= 0:
                first.setdefault(place, octet)

    assert {place: octet for start, piece in lay(pieces) for place, octet in enumerate(piece, start)} == first


@given(st.permutations([(start, STREAM[start : start + 30]) for start in range(0, 300, 30)]))
def test_any_order_of_arrival_gives_the_same_stream(pieces: list[tuple[int, bytes]]) -> None:
    assert join(pieces) == STREAM


def test_what_lies_before_the_stream_is_left_out() -> None:
    assert join([(-1, b"x"), (-2, b"xxab"), (2, b"c")]) == b"abc"
