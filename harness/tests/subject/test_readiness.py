"""Where a subject is reached, decided from the sockets of its namespace: every way to bind one, and what is no way."""

from __future__ import annotations

from typing import Any

import pytest

from harness.subject.readiness import Listening, choose, listening
from harness.wire.segment import Endpoint

ANY4, ANY6 = "0.0.0.0", "::"
V4, V6 = "10.9.0.2", "fd09::2"  # the far end's own addresses


def entry(host: str, port: int, *, only_v6: bool = False) -> dict[str, Any]:
    """A socket as the lab tells of it."""
    return {"state": 10, "local": [host, port], "remote": [ANY4, 0], "unread": 0, "unsent": 0, "only_v6": only_v6}


@pytest.mark.parametrize(
    ("host", "only_v6", "over_v4", "over_v6"),
    [
        (ANY4, False, V4, None),
        (ANY6, False, V4, V6),  # the kernel's default: IPv4 comes in too
        (ANY6, True, None, V6),
        (V4, False, V4, None),
        (V6, True, None, V6),
        (V6, False, None, V6),
        ("10.9.0.3", False, "10.9.0.3", None),
        ("::ffff:10.9.0.2", False, V4, None),
        ("::ffff:0.0.0.0", False, V4, None),
        ("::ffff:127.0.0.1", False, "127.0.0.1", None),
        ("127.0.0.1", False, "127.0.0.1", None),  # routed over the link
        ("127.0.1.1", False, "127.0.1.1", None),
        ("::1", True, None, None),  # RFC 4291 2.5.3
    ],
)
def test_an_address_is_reached_in_its_families(
    host: str, only_v6: bool, over_v4: str | None, over_v6: str | None
) -> None:
    """Wildcards at the far end's own address, all others where they are."""
    place = Listening(host, 7, only_v6)

    assert (place.reached_at("v4"), place.reached_at("v6")) == (over_v4, over_v6)


@pytest.mark.parametrize(
    ("sockets", "told_host", "told_port", "chosen"),
    [
        pytest.param([], None, None, None, id="nothing listens"),
        pytest.param([entry(V4, 7007)], V4, 7007, Endpoint(V4, 7007), id="as told"),
        pytest.param([entry(ANY4, 7007)], V4, 7007, Endpoint(V4, 7007), id="everywhere"),
        pytest.param([entry("127.0.0.1", 7007)], V4, 7007, None, id="told the host, listens on loopback"),
        pytest.param([entry("127.0.0.1", 7007)], None, 7007, Endpoint("127.0.0.1", 7007), id="told the port only"),
        pytest.param([entry("127.0.0.1", 80)], None, 7007, None, id="wrong port"),
        pytest.param([entry("127.0.0.1", 80)], None, None, Endpoint("127.0.0.1", 80), id="told nothing"),
        pytest.param([entry(ANY4, 90), entry(ANY4, 80)], None, None, Endpoint(V4, 80), id="lowest of several"),
        pytest.param([entry(ANY4, 80), entry(ANY4, 7007)], None, 7007, Endpoint(V4, 7007), id="one of several"),
        pytest.param([entry("::1", 80), entry(ANY4, 90)], None, None, Endpoint(V4, 90), id="the one that is reached"),
        pytest.param([entry(V6, 7007)], None, 7007, None, id="the other family"),
        pytest.param([entry(ANY4, 0)], None, None, None, id="not bound yet"),
    ],
)
def test_the_place_is_chosen(
    sockets: list[dict[str, Any]], told_host: str | None, told_port: int | None, chosen: Endpoint | None
) -> None:
    """What the command was told must hold; where it was told nothing, the lowest port will do."""
    assert choose(listening(sockets), "v4", host=told_host, port=told_port) == chosen


def test_waiting_sockets_are_told_once_and_in_order() -> None:
    """Several processes may share a port (SO_REUSEPORT); the order of sock_diag says nothing."""
    found = listening([entry(ANY6, 90), entry(V4, 80), entry(V4, 80), entry(ANY4, 0), entry("10.9.0.3", 80)])

    assert found == (Listening(V4, 80, False), Listening("10.9.0.3", 80, False), Listening(ANY6, 90, False))
    assert ", ".join(map(str, found)) == "10.9.0.2:80, 10.9.0.3:80, [::]:90"


def test_an_address_is_told_in_its_own_form() -> None:
    """An IPv6 socket may have an IPv4 address, as Java's have."""
    assert Listening("::ffff:10.9.0.2", 7, False).place == Listening(V4, 7, False).place == Endpoint(V4, 7)
    assert Listening(ANY6, 7, False).place == Endpoint(ANY6, 7)
