"""Link profiles: what a file may say, what is told of one that is wrong, and that chance is that of run and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.lab import link_profile
from harness.lab.fates import Delay, Drop
from harness.lab.faults import Met
from harness.lab.link_profile import LinkProfile, Rule, named, read, shipped

if TYPE_CHECKING:
    from pathlib import Path

TWO = """
[field]
purpose = "Far out."
rules = [{ fate = "drop", of = "subject", chance = 0.25 }, { fate = "delay", by = 0.02 }]

[cellar]
rules = []
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_file_has_profiles(tmp_path: Path) -> None:
    assert read(written(tmp_path, TWO)) == {
        "field": LinkProfile("field", "Far out.", (Rule(Drop(), "subject", 0.25), Rule(Delay(0.02)))),
        "cellar": LinkProfile("cellar", "", ()),
    }


def test_one_of_several_is_named_behind_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, TWO)

    assert named(f"{path}#cellar").name == "cellar"
    with pytest.raises(ValueError, match=r"mine\.toml has several profiles; say one of .*#field, .*#cellar$"):
        named(str(path))
    with pytest.raises(ValueError, match=r"mine\.toml has no profile 'attic'; say one of "):
        named(f"{path}#attic")


def test_the_only_one_of_a_file_needs_no_name(tmp_path: Path) -> None:
    assert named(str(written(tmp_path, "[only]\nrules = []"))).name == "only"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no profile"),
        ("[a", "is no TOML"),
        ("[a]\n", "[a] needs a list of rules"),
        ("[a]\nrules = []\nspeed = 3", "[a] has no 'speed'; it may say purpose and rules"),
        ("[a]\nrules = [{ chance = 0.1 }]", "[a] rule 1 says no fate: one of drop, duplicate"),
        ("[a]\nrules = [{ fate = 'hold' }]", "'hold' is no fate of a profile"),
        ("[a]\nrules = [{ fate = 'drop', of = 'router' }]", "of = 'router' is nobody: probe or subject"),
        ("[a]\nrules = [{ fate = 'drop', chance = 3 }]", "a chance of 3.0 is none"),
        ("[a]\nrules = [{ fate = 'drop', chance = 'often' }]", "[a] rule 1: could not convert"),
        ("[a]\nrules = [{ fate = 'delay' }]", "missing 1 required positional argument: 'by'"),
        ("[a]\nrules = [{ fate = 'delay', by = 5 }]", "a delay of 5 s is more than the 1 s"),
        ("[a]\nrules = [{ fate = 'drop', by = 1 }]", "it has no 'by'"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"mine\.toml") as raised:
        read(written(tmp_path, text))

    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_none_tells_what_there_is() -> None:
    with pytest.raises(
        ValueError, match=r"^'moon' is none; there are clean, lan, wan, lossy, reordering, slow, narrow"
    ):
        named("moon")
    with pytest.raises(ValueError, match=r"^nowhere\.toml cannot be read: No such file"):
        named("nowhere.toml#moon")


def test_every_shipped_profile_says_what_it_is_for() -> None:
    assert all(profile.purpose.endswith(".") for profile in shipped().values())
    assert {name for name, profile in shipped().items() if profile.faithful} == {"clean", "lan", "wan", "slow"}


def struck(seed: int, test: str) -> list[bool]:
    """Whether each of a hundred frames of the probe is lost."""
    (rule,) = LinkProfile("", "", (Rule(Drop(), chance=0.5),)).weather(seed, test)
    return [rule.decides(Met(True, place, b"")) is not None for place in range(1, 101)]


def test_chance_is_that_of_the_run_and_of_the_test() -> None:
    assert struck(1, "tcp/a") == struck(1, "tcp/a")
    assert struck(1, "tcp/a") != struck(2, "tcp/a")
    assert struck(1, "tcp/a") != struck(1, "tcp/b")


def test_a_rule_of_a_profile_may_miss() -> None:
    assert all(fault.may_miss for profile in shipped().values() for fault in profile.weather(link_profile.SEED, "x"))
