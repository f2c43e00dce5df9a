"""Where a match stops: in exact octets, and in a regular expression, of which Python tells only whether it matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.stopped import Stopped, where_match_stops, where_octets_part


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (b"hello", ""),
        (b"OK\r\n", r"the match stops at offset 0: expected 'hello', got 'OK\r\n'"),
        (b"hel", "the match stops at offset 3: expected 'lo', got nothing more"),
        (b"hello!", "the match stops at offset 5: expected the end, got '!'"),
    ],
)
def test_exact_octets_part_at_an_offset(came: bytes, said: str) -> None:
    assert where_octets_part(b"hello", came) == said


@pytest.mark.parametrize(
    ("pattern", "came", "stopped"),
    [
        pytest.param(rb"2\d\d .*", b"404 no", Stopped("", r"2\d\d .*", 0, b"404 no"), id="at its beginning"),
        pytest.param(rb"HTTP/1\.. 200", b"HTTP/1.1 404", Stopped(r"HTTP/1\.. ", "200", 9, b"404"), id="within"),
        pytest.param(rb"(?s).*X", b"hello", Stopped("(?s).*", "X", 5, b""), id="where nothing more came"),
        pytest.param(rb"ab", b"abc", Stopped("ab", "", 2, b"c"), id="where more came"),
        pytest.param(rb"foo|bar", b"baz", Stopped("foo|ba", "r", 2, b"z"), id="in the second choice"),
        pytest.param(rb"foo|bar", b"foz", Stopped("fo", "o|bar", 2, b"z"), id="in the first choice"),
        pytest.param(rb"\+(?P<a>PO(?:NG|ng))", b"+POX", Stopped(r"\+(?P<a>PO", "(?:NG|ng))", 3, b"X"), id="in a group"),
        pytest.param(rb"[a-z]+\d{2}", b"abc1", Stopped(r"[a-z]+\d", "{2}", 4, b""), id="in a repetition"),
        pytest.param(rb"a\(b", b"a(c", Stopped(r"a\(", "b", 2, b"c"), id="after a bracket that is meant"),
    ],
)
def test_an_expression_stops_where_its_longest_part_does(pattern: bytes, came: bytes, stopped: Stopped) -> None:
    assert where_match_stops(re.compile(pattern), came) == stopped


def test_the_words_point_into_the_expression_and_into_the_answer() -> None:
    stopped = where_match_stops(re.compile(rb"HTTP/1\.. 200 .*\r\n"), b"HTTP/1.1 404 Not Found\r\n")

    assert str(stopped) == (
        r"the match stops at offset 9: after 'HTTP/1\.. ' the expression has '200 .*\r\n', but '404 Not Found\r\n' came"
    )


def test_the_words_of_what_came_in_addition() -> None:
    stopped = where_match_stops(re.compile(rb"ab"), b"abc")

    assert str(stopped) == "the expression matches the first 2 octets, but then 'c' came"


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", r"\n", "[ab]", "."]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        inner.map("(?:{})*".format),
        inner.map("({})?".format),
    ),
    max_leaves=5,
)


@given(EXPRESSIONS, st.text("abc\n", max_size=6))
def test_nothing_is_said_if_and_only_if_it_matches(expression: str, text: str) -> None:
    """And what is said divides both the expression and the answer in two."""
    regex, came = re.compile(expression.encode()), text.encode()

    stopped = where_match_stops(regex, came)

    assert (stopped is None) == (regex.fullmatch(came) is not None)
    if stopped is not None:
        assert stopped.matched + stopped.missing == expression
        assert came[stopped.octets :] == stopped.instead
