"""What each profile owes, told from what a client said and heard."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from harness import bundle
from harness.explore import contracts
from harness.explore.contracts import contract
from harness.explore.model import SURVIVES, End, Heard, amiss
from harness.probe.ending import Ending
from harness.spec.catalogue import load
from harness.subject.profile import PROFILES
from harness.subject.protocol import kind_of, parse, samples
from harness.verdict import Level

EVERYBODY = (*PROFILES, *samples())
PONG = b"+PONG\r\n"


def requirement(profile: str, heard: Heard, ended: Ending | None = None, why: str = "") -> str:
    """The requirement that is broken; empty if none is."""
    found = amiss(contract(profile).due(heard), heard.came, ended, why=why)
    return found.requirement if found else ""


@pytest.mark.parametrize("profile", EVERYBODY)
def test_every_profile_has_a_contract(profile: str) -> None:
    made = contract(profile)

    assert made.profile == profile
    assert made.words
    if made.transport == "tcp":
        assert made.due(Heard()).ids
    else:
        assert not made.due_datagrams(Heard()).answers


@pytest.mark.parametrize("profile", [name for name in EVERYBODY if contract(name).transport == "tcp"])
def test_nothing_is_owed_out_of_turn(profile: str) -> None:
    """A server that serves one client at a time is a correct one."""
    for said in ((), (b"hello",)):
        waits = Heard(said=said, turn=False, wanted=10)
        assert requirement(profile, waits, why="it was idle") == ""


@pytest.mark.parametrize(
    ("profile", "heard", "ended", "broken"),
    [
        ("echo", Heard((b"a", b"b"), b"ab"), None, ""),
        ("echo", Heard((b"a", b"b"), b"aB"), None, "rfc862:tcp/octets-unchanged"),
        ("echo", Heard((b"ab",), b"a"), None, "rfc862:tcp/returns-every-octet"),
        ("echo", Heard((b"ab",), b"abc"), None, "rfc862:tcp/adds-nothing"),
        ("echo", Heard((b"ab",), b"ab"), Ending.EOF, "rfc862:tcp/lasts-until-client-closes"),
        ("echo", Heard((b"ab",), b"a", half_closed=True), Ending.EOF, "rfc862:tcp/closes-after-client-fin"),
        ("echo", Heard((), half_closed=True), None, "rfc862:tcp/empty-session"),
        ("discard", Heard((b"ab",)), None, ""),
        ("discard", Heard((b"ab",), b"a"), None, "rfc863:tcp/tcp-discard-sends-nothing"),
        ("discard", Heard((b"ab",), half_closed=True), None, "rfc863:tcp/discard-ends-on-client-close"),
        ("chargen", Heard(came=b"ab", wanted=2), None, ""),
        ("chargen", Heard(came=b"ab", wanted=3), None, "rfc864:tcp/tcp-chargen-streams-on-connect"),
        ("chargen", Heard(came=b"ab", wanted=3, half_closed=True), Ending.RESET, ""),
        ("qotd", Heard(came=b"so it is"), Ending.EOF, ""),
        ("qotd", Heard(came=b"so it is"), None, "rfc865:tcp/tcp-quote-then-close"),
        ("qotd", Heard((b"x",), b"so it is"), Ending.RESET, ""),
        ("qotd", Heard(came=b"so it is"), Ending.RESET, "rfc865:tcp/tcp-quote-then-close"),
        ("time", Heard(came=b"1234"), None, ""),
        ("time", Heard(came=b"1234", half_closed=True), None, "rfc868:tcp/time-server-close-sequence"),
        ("time", Heard(came=b"12345"), None, "rfc868:tcp/tcp-time-sends-32-bits"),
        ("greeting", Heard(came=b"hello\r\n"), Ending.EOF, ""),
        ("greeting", Heard(came=b"hello\n"), Ending.EOF, "house:greeting/one-crlf-line"),
        ("greeting", Heard(), None, "house:greeting/speaks-first"),
        ("greeting", Heard((b"x",)), Ending.RESET, "house:greeting/whole-line"),
        ("greeting", Heard((b"x",), b"hello\r\n"), Ending.RESET, ""),
        ("request-reply", Heard(), None, ""),
        ("request-reply", Heard(came=b"r"), None, "house:request-reply/silent-before-request"),
        ("request-reply", Heard((b"x",), b"reply", usual=b"reply"), Ending.EOF, ""),
        ("request-reply", Heard((b"x",), b"r", usual=b"re"), Ending.EOF, "house:request-reply/content-does-not-matter"),
        ("request-reply", Heard((b"x",), b"reply"), None, "house:request-reply/one-reply"),
        ("request-reply", Heard((b"x", b"y"), b""), Ending.RESET, ""),
        ("request-reply", Heard(half_closed=True), None, "house:request-reply/empty-request"),
        ("one-shot", Heard(), Ending.EOF, "house:one-shot/reads-before-closing"),
        ("one-shot", Heard((b"x",)), Ending.RESET, "house:one-shot/orderly-fin"),
        ("one-shot", Heard(half_closed=True), None, "house:one-shot/client-says-nothing"),
        ("tcp", Heard((b"x",), b"anything"), Ending.RESET, ""),
        ("redis", Heard(), Ending.EOF, "house:protocol/stays-open"),
        ("redis", Heard((b"*1\r\n$4\r\nPING\r\n",), PONG), Ending.EOF, "house:protocol/stays-open"),
        ("redis", Heard((b"*1\r\n$4\r\nPING\r\n",), PONG), None, ""),
        ("redis", Heard((b"*1\r\n$4\r\nPING\r\n",)), None, "house:protocol/answers"),
        ("redis", Heard((b"*1\r\n$4", b"\r\nPING\r\n",)), None, "house:protocol/segmentation"),
        ("redis", Heard((b"*1\r\n$4\r\nPING\r\nPING\r\n" * 2,), PONG * 3), None, "house:protocol/repeats"),
        ("redis", Heard((b"*1\r\n$4\r\nPING\r\n",), PONG * 2), None, "house:protocol/answers"),
        ("redis", Heard((), PONG), None, "house:protocol/silent-before-request"),
        ("smtp", Heard(), None, "house:protocol/speaks-first"),
        ("smtp", Heard((b"NOOP\r\n",), b"220 here\r\n250 OK\r\n"), None, ""),
        ("smtp", Heard((b"NOOP\r\nQUIT\r\n",), b"220 here\r\n250 OK\r\n221 bye\r\n"), None, "house:protocol/closes"),
        ("smtp", Heard((b"NOOP\r\nQUIT\r\n",), b"220 here\r\n250 OK\r\n221 bye\r\n"), Ending.EOF, ""),
        ("http", Heard((b"GET /",)), Ending.RESET, ""),
        ("http", Heard((b"GET /",), b"HTTP/1.0 200 OK\r\n", half_closed=True), Ending.EOF, ""),
    ],
)  # fmt: skip
def test_what_is_owed(profile: str, heard: Heard, ended: Ending | None, broken: str) -> None:
    """When nothing more comes."""
    assert requirement(profile, heard, ended, why="" if ended else "it was idle") == broken


@pytest.mark.parametrize(
    ("profile", "said", "came", "left"),
    [
        ("udp-echo", (b"a", b"", b"a"), (b"", b"a"), 1),
        ("udp-discard", (b"a",), (), 0),
        ("udp-chargen", (b"a", b"b"), (b"",), 1),
        ("udp-time", (b"", b"words"), (b"1234", b"what?"), 0),
        ("stun", (bytes.fromhex("000100002112a442736f636b7370656330303031"),), (), 1),
    ],
)
def test_what_is_owed_in_datagrams(profile: str, said: tuple[bytes, ...], came: tuple[bytes, ...], left: int) -> None:
    due = contract(profile).due_datagrams(Heard(said))

    missing, stranger = due.left(came)

    assert (len(missing), stranger) == (left, None)


def test_each_client_says_its_own_words_wherever_they_are_cut() -> None:
    """A plan has the words of one client; who plays it has its own, of the same length."""
    made = contract("mqtt")
    planned, own = made.words, [exchange.send for exchange in made.own(3).exchanges]  # type: ignore[union-attr]

    cut = [planned[0][:7], planned[0][7:] + planned[1][:20], planned[1][20:]]
    said = [made.in_its_words(3, sum(map(len, cut[:number])), octets) for number, octets in enumerate(cut)]

    assert b"".join(said) == own[0] + own[1] != planned[0] + planned[1]
    assert [len(octets) for octets in said] == [len(octets) for octets in cut]


def test_each_client_says_its_own_words_in_datagrams() -> None:
    made = contract("dns")
    own = made.own(3)
    assert own is not None

    for planned, exchange in zip(made.words, own.exchanges, strict=True):
        assert made.in_its_words(3, 0, planned) == exchange.send != planned
    assert made.due_datagrams(Heard((own.exchanges[0].send,), client=3)).left((b"other",))[1] is not None
    assert contract("stun").in_its_words(3, 0, b"x") == b"x"


def test_a_connection_that_has_had_its_requests_may_be_closed() -> None:
    text = 'closes = "client"\nrequests-per-connection = 2\n[[exchange]]\nsend = "a"\nexpect = "b"\n'
    limited = replace(contract("redis"), protocol=parse(text), file=parse(text))

    assert limited.due(Heard((b"a",), b"b")).end is End.NOT
    assert limited.due(Heard((b"aa",), b"bb")).end is End.MAY


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ("redis", ""),
        ("dns", ""),
        ("memcached", "takes values from answers"),
        ("dns-tcp", "has lengths within answers"),
        ("postgresql", "has lengths within answers"),
        ("tftp", "has answers-from"),
    ],
)
def test_what_cannot_be_planned_says_why(profile: str, why: str) -> None:
    assert contract(profile).unexplored.endswith(why)
    assert bool(contract(profile).unexplored) == bool(why)


def test_only_promises_are_claimed() -> None:
    """What a model names is a MUST, or a promise in plain words: what it found else would stand before a fail."""
    catalogue = load()
    named = {
        one.id
        for one in catalogue
        if one.id.startswith(("rfc86", "house:"))
        and one.id.rpartition("/")[2] in inspect.getsource(contracts)
        and one.id.partition("/")[0].rpartition(":")[2] != "any"
    }
    claimed = {name for name in named if any(name in test["covers"] for test in _explorations())}

    assert claimed
    assert {name for name in claimed | {SURVIVES} if catalogue[name].level is not Level.MUST} == set()


@pytest.mark.parametrize("profile", EVERYBODY)
def test_the_suite_covers_what_the_model_claims(profile: str) -> None:
    """A finding of another requirement than the test says it covers would be an error of the harness."""
    covers = {name for test in _explorations() if kind_of(profile) in test["profiles"] for name in test["covers"]}
    made = contract(profile)

    for heard in _clients(profile):
        if made.transport == "tcp":
            ids = made.due(heard).ids
            assert {ids.octets, ids.more, ids.end, ids.early} <= covers
        else:
            named = made.due_datagrams(heard).ids
            assert {named.octets, named.missing, named.more, named.source} <= covers
    assert {made.accepts, SURVIVES} <= covers


def _clients(profile: str) -> list[Heard]:
    words = contract(profile).words[:1] or (b"x",)
    saids = [(), words, (words[0], words[0])]
    if contract(profile).protocol is not None and contract(profile).transport == "tcp":
        exchanges = [exchange.send for exchange in contract(profile).protocol.exchanges]  # type: ignore[union-attr]
        saids = [(), (exchanges[0][:2],), (exchanges[0][:2], exchanges[0][2:]), (b"".join(exchanges) * 2,)]
    return [
        Heard(said, came, half_closed=half_closed)
        for said in saids
        for came in (b"", b"\0")
        for half_closed in (False, True)
    ]


def _explorations() -> list[dict[str, tuple[str, ...]]]:
    space: dict[str, object] = {}
    path = bundle.root() / "suites" / "explore" / "test_explore.py"
    exec(compile(path.read_text(), str(path), "exec"), space)
    return [one.__dict__ for name, one in space.items() if name.startswith("check_") and hasattr(one, "__dict__")]


def test_the_end_of_a_stream_is_owed_to_who_closed() -> None:
    assert contract("echo").due(Heard()).end is End.NOT
    assert contract("echo").due(Heard(half_closed=True)).end is End.MUST


def test_an_empty_datagram_that_stays_unanswered_is_told_as_such() -> None:
    for said, came, missing in (
        ((b"", b"a"), (b"a",), "rfc862:udp/empty"),
        ((b"", b"a"), (b"",), "rfc862:udp/one-in-one-out"),
    ):
        assert contract("udp-echo").due_datagrams(Heard(said, datagrams=came)).ids.missing == missing
