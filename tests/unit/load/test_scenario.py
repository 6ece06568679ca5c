"""Scenario files: those that come with the project are sound, and what is wrong with one is said with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.load.result import Phase
from commerce360.load.scenario import FOLDER, read

ROOT = Path(__file__).parents[3]
GOOD = 'name = "mine"\nprofile = "ramp:0-100:10s,soak:100:30s"\nwarm_up_s = 10\n'


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("path", sorted((ROOT / FOLDER).glob("*.toml")), ids=lambda p: p.stem)
def test_the_projects_own_are_sound_and_named_as_their_files(path: Path) -> None:
    found, text = read(str(path))
    assert found.name == path.stem
    assert text == path.read_text()
    assert found.rules()
    assert all(isinstance(value, int) for value in found.shop.values())


def test_phases_and_lengths_come_from_the_profile(write) -> None:
    found, _ = read(write(GOOD))
    assert found.phases == [Phase("ramp", 0.0, 10.0), Phase("soak", 10.0, 40.0)]
    assert (found.lasts_s, found.measured_s) == (40, 30)


def test_a_step_of_a_search_has_the_thresholds_that_a_step_can_hold(write) -> None:
    rules = '[thresholds]\n"gold.p99_s" = "<= 3"\nreconcile.equal = true\nlost = 0\n"recovery_s" = "<= 9 until gold.p99_s <= 3"\n'
    step = read(write(GOOD + rules))[0].at_rate(250, 60)
    assert (step.profile, step.measured_s, step.thresholds) == ("soak:250:60s", 50, {"gold.p99_s": "<= 3"})
    assert read(write(GOOD + rules))[0].at_rate(250, 21).measured_s == 14
    with pytest.raises(ConfigError, match="no threshold"):
        read(write(GOOD))[0].at_rate(250, 60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "colour = 1\n", "colour"),
        (GOOD.replace("warm_up_s = 10", "warm_up_s = 40"), "nothing to measure"),
        (GOOD + '[thresholds]\n"gold.p98_s" = "<= 3"\n', "gold.p98_s"),
        (GOOD + '[[faults]]\nservice = "lakes"\nat_s = 1\nfor_s = 1\n', "no service"),
        (GOOD + '[[faults]]\nservice = "lake"\nkind = "kill"\nat_s = 1\nfor_s = 1\n', "a kill takes no for_s"),
        (GOOD + '[[faults]]\nservice = "lake"\nat_s = 30\nfor_s = 20\n', "ends after the profile"),
        (GOOD + "[shop]\norders_per_s = 3\n", "orders come from the replay"),
        (GOOD + "[shop]\nrow_change_per_s = 3\n", "row_change_per_s: there is no such setting"),
        (GOOD + "[shop]\ncustomers = 2.5\n", "customers"),
        (GOOD + "[lake]\ntriger_s = 3\n", "triger_s: there is no such setting"),
        (GOOD + 2 * '[[faults]]\nservice = "lake"\nat_s = 1\nfor_s = 9\n', "two faults of lake"),
        (GOOD.replace("soak:100", "hover:100"), "no phase"),
        (GOOD + "[thresholds\n", "no TOML"),
        (GOOD.replace('"mine"', '"My test"'), "name"),
    ],
)
def test_what_is_wrong_is_said(write, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        read(write(text))
    assert error.value.hint


def test_an_unknown_name_lists_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError) as error:
        read("steady")
    assert "steady-1k" in error.value.hint
