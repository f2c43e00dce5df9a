"""The kill matrix as text and as Markdown: what is wrong first, and nothing that breaks a table."""

from __future__ import annotations

from dataclasses import replace

from harness.proof import page
from harness.proof.kills import kill_matrix
from harness.tests.proof.rows import CLOSES, GONE, MUTANTS, NEVER, OCTETS, SURVIVES, UPPER, rejected, row, whole
from harness.verdict import Verdict

TEXT = """\
2 of 3 mutants rejected as they must be · 1 hole · 0 false alarms on 1 correct server · 1 of 2 tests dead weight

holes: mutants that are not rejected for the requirement that they break
  echo_never_closes  breaks rfc862:tcp/closes
      Forgets to close.
      why: echo::closes did not notice; rejected by no test

dead weight: tests of a MUST that reject no mutant
  echo::closes  rfc862:tcp/closes

not proved by mutants: tests of the kernel's TCP
  tcp::resets  rfc9293:SHLD-3

echo: the mutants, what they break, and who rejects them for it
  echo_upper         rfc862:tcp/octets-unchanged  echo::comes_back
  echo_never_closes  rfc862:tcp/closes            HOLE
  cheat_exits        rfc862:tcp/octets-unchanged  never ready

signs
  X  rejected, for the requirement that the mutant breaks
  x  rejected, for another requirement
  0  the mutant never became ready
  !  the harness broke
  ?  inconclusive
  .  not noticed
  blank  not asked

echo
                  123
echo::comes_back  X.0
echo::closes      ?.0

1  echo_upper
2  echo_never_closes
3  cheat_exits
"""

SECTION = """\
## Proof that the tests can fail

2 of 3 mutants rejected as they must be · 1 hole · 0 false alarms on 1 correct server · 1 of 2 tests dead weight

### Holes

| mutant | breaks | how | why it is a hole |
|---|---|---|---|
| `echo_never_closes` | `rfc862:tcp/closes` | Forgets to close. | echo::closes did not notice; rejected by no test |

### Dead weight: tests of a MUST that reject no mutant

- `echo::closes` (rfc862:tcp/closes)

### Not proved by mutants: tests of the kernel's TCP

- `tcp::resets` (rfc9293:SHLD-3)

### echo

| mutant | breaks | rejected for it by | for others by |
|---|---|---|---|
| `echo_upper` | `rfc862:tcp/octets-unchanged` | echo::comes_back | 0 |
| `echo_never_closes` | `rfc862:tcp/closes` | HOLE | 0 |
| `cheat_exits` | `rfc862:tcp/octets-unchanged` | never ready | 0 |

```text
                  123
echo::comes_back  X.0
echo::closes      ?.0

1  echo_upper
2  echo_never_closes
3  cheat_exits
```

"""


def test_the_text_whole() -> None:
    assert page.text(kill_matrix(whole(), MUTANTS)) == TEXT


def test_the_section_whole() -> None:
    section = page.markdown(kill_matrix(whole(), MUTANTS))

    assert section.startswith(SECTION)
    assert section.removeprefix(SECTION).count("\n") == 6  # the signs, but for the blank


def test_alarms_and_what_was_lost_are_told() -> None:
    alarm = replace(row("a::b", "echo_asyncio", Verdict.ERROR), reason="the lab\nis gone")
    kills = kill_matrix([rejected("a::b", UPPER.name, OCTETS), alarm], [UPPER], lost=["a::c[v4]"])

    summary, *rest = page.troubles(kills)

    assert summary.endswith(" · 1 false alarm on 1 correct server · 0 of 1 test dead weight · 1 lost")
    assert rest == [
        "",
        "false alarms: correct servers that are rejected",
        "  error  a::b[v4-echo_asyncio]: the lab\\nis gone",
        "",
        "lost: planned and never reported",
        "  a::c[v4]",
    ]


def test_findings_and_who_was_not_at_hand_are_told() -> None:
    """Those who lack the same are named together."""
    known = rejected("echo::closes", "socat", CLOSES)
    away = [replace(row("echo::closes", name, Verdict.NOT_APPLICABLE), reason="needs nmap") for name in ("a", "b")]
    kills = kill_matrix([known, *away], (), findings={"socat": {CLOSES: "never closes"}})

    assert "0 false alarms on 1 correct server · 0 of 0 tests dead weight · 2 not at hand" in page.text(kills)
    assert "(docs/findings.md)\n  echo::closes[v4-socat]: that\n" in page.text(kills)
    assert "  a, b: needs nmap\n" in page.text(kills)
    assert "| `echo::closes[v4-socat]` | `rfc862:tcp/closes` | that |" in page.markdown(kills)
    assert "- `b`: needs nmap\n" in page.markdown(kills)


def test_many_columns_are_numbered_from_top_to_bottom() -> None:
    many = [replace(UPPER, name=f"echo_{number}") for number in range(12)]
    rows = [rejected("a::b", mutant.name, OCTETS) for mutant in many]

    lines = page.text(kill_matrix(rows, many)).splitlines()
    place = lines.index("a::b  XXXXXXXXXXXX")

    assert lines[place - 2 : place] == ["               111", "      123456789012"]


def test_a_test_that_no_mutant_was_asked_says_so() -> None:
    kills = kill_matrix([row("a::b", NEVER.name, Verdict.NOT_APPLICABLE), row("a::c", NEVER.name)], [NEVER])

    assert f"  a::b  {OCTETS}  (not applicable to any mutant)" in list(page.troubles(kills))


def test_of_a_part_of_the_tests_a_mutant_may_meet_none_of_its_own() -> None:
    """That it was not rejected says nothing then, least of all that it was never ready."""
    kills = kill_matrix([row("a::b", NEVER.name, covers=(SURVIVES, CLOSES))], [NEVER], partial=True)

    assert f"  {NEVER.name}  {CLOSES}  not asked by its own tests" in page.text(kills).splitlines()


def test_a_bar_does_not_break_a_table() -> None:
    kills = kill_matrix([row("a::b", GONE.name)], [replace(GONE, how="Sends a | b.")])

    assert "Sends a \\| b." in page.markdown(kills)
