"""A mistake of who wrote a test, or of ours, is an error that says what is wrong, and never a fail of the subject.

Each test of one suite makes one mistake. Beside them stand what looks much alike and is the subject's doing all the
same.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from harness.tests.plugin.sandbox import CHECKOUT

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

# What the author did, by the name of the test, and what the finding says.
MISTAKES = {
    "misspells_a_command": (
        "serve().tell('acept')",
        "BadCommand: the told server cannot do 'acept': no command 'acept'",
    ),
    "sends_what_is_no_hex": (
        "subject = serve(); probe.connect(subject); subject.tell('accept'); subject.tell('send xyz')",
        "BadCommand: the told server cannot do 'send xyz': xyz is not hex",
    ),
    "gives_a_command_a_wrong_argument": (
        "serve().tell('option SOL_SOCKET SO_RCVBUFF 1 #0')",
        "BadCommand: the told server cannot do 'option SOL_SOCKET SO_RCVBUFF 1 #0': the socket module has no constant",
    ),
    "gives_a_command_too_few_arguments": ("serve().tell('linger #0')", "usage: linger SECONDS [#N]"),
    "speaks_of_no_connection": ("serve().tell('read 10')", "no connection was accepted yet"),
    "tells_octets": ("serve().tell(b'accept')", "b'accept': a command is text on one line"),
    "tells_who_has_ended": (
        "subject = serve(); subject.tell('exit 0'); subject.wait_end(); subject.tell('accept')",
        "BadCommand: 'accept': the told server has ended: exit 0",
    ),
    "takes_an_answer_too_many": ("serve().answer()", "BadCommand: every command has been answered"),
    "reads_hex_that_is_none": ("bytes.fromhex('xyz')", "ValueError: non-hexadecimal number"),
    "misspells_a_method": ("runtime.tcp().conect(('10.9.0.1', 7))", "AttributeError: "),
    "misspells_a_function": ("runtime.socket_pair()", "AttributeError: module 'socket' has no attribute 'socket_pair'"),
    "misspells_a_method_that_is_to_fail": (
        "with raises(errno.EINVAL): runtime.tcp().conect(('10.9.0.1', 7))",
        "AttributeError: ",
    ),
    "misspells_a_value": (
        "assert runtime.udp().famly == socket.AF_INET",
        "TypeError: socket.famly() of the runtime was",
    ),
    "calls_with_wrong_arguments": (
        "runtime.tcp().bind('10.9.0.2')",
        "TypeError: bind(): AF_INET address must be tuple",
    ),
    "calls_with_too_many_arguments": ("runtime.tcp().listen(1, 2, 3)", "TypeError: "),
    "misspells_a_name_in_what_runs_there": ("runtime.run(misspelt)", "NameError: name 'sokcet' is not defined"),
    "hands_over_what_cannot_be_copied": ("runtime.tcp().bind(lambda: 0)", "Can't"),
    "names_what_was_never_learned": ("{}['port']", "KeyError: 'port'"),
    "misspells_an_ending": ("probe.connect(serve()).expect_end(Ending.FIN)", "AttributeError: "),
    "takes_one_enum_for_another": (
        "probe.connect(serve()).expect_end(Leaving.CLOSES)",
        "TypeError: one of EOF, RESET of Ending is expected, not <Leaving.CLOSES",
    ),
    "leaves_in_no_known_way": ("probe.connect(serve()).leave('closes')", "TypeError: one of CLOSES, RESETS, "),
    "expects_text": ("probe.connect(serve()).expect('hello')", "TypeError: octets are expected, such as b'hello'"),
    "misspells_an_icmp_error": ("got.icmp('prot unreachable')", "ValueError: 'prot unreachable' is no ICMP error"),
    "misspells_a_flag": ("got.segment(flags='FINN')", "ValueError: 'FINN' is not a list of flags"),
    "requires_what_is_not_known": (
        "with requires('rfc9293:MUST-999'): pass",
        "no requirement 'rfc9293:MUST-999'",
    ),
    "requires_what_it_does_not_cover": (
        "with requires('rfc9293:SHLD-3'): raise Mismatch('this', 'that')",
        "the test claims rfc9293:SHLD-3, which it does not say that it covers",
    ),
    "asserts_in_the_library": ("library.false_assert()", "it was asserted in "),
    "has_a_false_assert_of_somebody_else": ("unittest.mock.Mock().assert_called()", "it was asserted in "),
    "breaks_in_the_library": ("library.key_error()", "KeyError: 'no such thing'"),
    "finds_something_broken_in_the_library": ("library.broken()", "Broken: this cannot be"),
    "opens_a_file_of_its_own": ("open('/no/such/file')", "FileNotFoundError: "),
    "opens_a_file_of_its_own_where_a_call_is_to_fail": (
        "with raises(errno.EINVAL): open('/no/such/file')",
        "FileNotFoundError: ",
    ),
    "asserts_in_a_fixture": ("claiming", "AssertionError: a claim in a fixture"),
    "is_given_a_mismatch_by_a_fixture": ("mismatched", "Mismatch: expected: this"),
    "breaks_in_tear_down": ("breaking_late", "tear-down: KeyError: 'too late'"),
    "asserts_in_tear_down": ("asserting_late", "tear-down: AssertionError: too late"),
}

# What is the subject's doing, though it raises the same exceptions.
MISSED = {
    "claims_in_the_test": "assert 1 == 2, 'a claim'",
    "claims_in_a_helper_of_the_suite": "claim()",
    "claims_in_a_neighbour_of_the_suite": "neighbour.claim()",
    "claims_in_what_runs_there": "runtime.run(claims)",
    "lets_an_error_of_a_call_pass": "runtime.tcp().connect(('10.9.0.1', 7))",
    "lets_an_error_of_a_command_pass": "serve().tell('accept-now')",
    "meets_another_error_than_it_named": "with raises(errno.EINVAL): runtime.tcp().connect(('10.9.0.1', 7))",
    "meets_no_error_where_it_named_one": "with raises(ValueError): runtime.tcp().close()",
    "meets_errors_in_a_group": "runtime.create_connection(('10.9.0.1', 7), all_errors=True)",
    "misses_what_the_library_claims": "probe.connect(serve()).expect(b'hello')",
}

HEAD = """
    import errno, socket, sys, unittest.mock
    from pathlib import Path

    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "elsewhere")]
    import library, neighbour

    @pytest.fixture
    def claiming():
        assert False, "a claim in a fixture"

    @pytest.fixture
    def mismatched():
        raise Mismatch("this", "that")

    @pytest.fixture
    def breaking_late():
        yield
        raise KeyError("too late")

    @pytest.fixture
    def asserting_late():
        yield
        assert False, "too late"

    def claim():
        assert False, "a claim"

    def claims():
        assert False, "a claim"

    def misspelt():
        return sokcet.AF_INET
"""
LIBRARY = """
from harness.verdict import Broken

def false_assert():
    assert 1 == 2, "of the library's own"

def key_error():
    return {}["no such thing"]

def broken():
    raise Broken("this cannot be")
"""
COVERED = "rfc9293:MUST-12"
FIXTURES = ("serve", "runtime", "probe", "claiming", "mismatched", "breaking_late", "asserting_late")


def written(name: str, does: str) -> str:
    """The test of this name: its fixtures are those that its words name."""
    takes = ", ".join(word for word in FIXTURES if word in does.replace("neighbour", ""))
    return f"    @families('v4')\n    @covers('{COVERED}')\n    def test_{name}({takes}):\n        {does}\n"


def test_whose_fault_it_is_decides_the_verdict(sandbox: Sandbox) -> None:
    """A mistake is an error that names what is wrong; what the subject did is a fail, whoever says it."""
    (sandbox.root / "elsewhere").mkdir()
    (sandbox.root / "elsewhere" / "library.py").write_text(LIBRARY)
    (sandbox.root / "suites" / "neighbour.py").write_text("def claim():\n    assert False, 'a claim'\n")
    tests = {name: does for name, (does, _) in MISTAKES.items()} | MISSED
    sandbox.suite(HEAD + "\n" + "\n".join(written(name, does) for name, does in tests.items()))

    ran = sandbox.pytest("-n", "2")

    rows = {row.behaviour.partition("::")[2].partition("[")[0]: row for row in ran.record.results}
    seen = {name: (row.verdict.value, [finding.requirement for finding in row.findings]) for name, row in rows.items()}
    assert seen == {name: ("error", [""]) for name in MISTAKES} | {name: ("fail", [COVERED]) for name in MISSED}
    unsaid = {name: rows[name].reason for name, (_, says) in MISTAKES.items() if says not in rows[name].reason}
    assert unsaid == {}


def test_the_library_asserts_nothing() -> None:
    """What cannot be is an exception of its own there (`harness.verdict.Broken`): an assert claims of the subject."""
    places = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in sorted((CHECKOUT / "harness").rglob("*.py"))
        if not {"tests", "_bundle"} & set(path.relative_to(CHECKOUT).parts)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]

    assert places == []


def test_what_is_not_applicable_is_missed_by_no_requirement(sandbox: Sandbox) -> None:
    """Also within a block that would name one, and one that the test does not say that it covers."""
    sandbox.suite(written("not_tried", "with requires('rfc9293:SHLD-3'): raise NotApplicable('no room')"))

    (row,) = sandbox.pytest().record.results

    assert (row.verdict.value, row.reason, row.findings) == ("not applicable", "no room", ())
