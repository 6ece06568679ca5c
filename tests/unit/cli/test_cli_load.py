"""`c360 load`: what it refuses, and what it writes where there is no stack. For replays see tests/unit/producers/test_load_replay.py."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commerce360.cli.load import _profile
from commerce360.cli.main import app
from commerce360.errors import ConfigError
from producers import recorded
from producers.profile import Constant, Phases, Speed, Unlimited
from producers.recording import Recording

ELSEWHERE = ["--bootstrap", "127.0.0.1:1", "--schema-id", "1"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded.generated(tmp_path_factory.mktemp("recorded") / "orders.rec", 20, 10.0, 1, 10, 3).path


def load(*args: str) -> str:
    done = CliRunner().invoke(app, ["load", *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_generated_orders_are_recorded_the_same_for_the_same_seed(tmp_path: Path) -> None:
    few = ["--generate", "30", "--rate", "10", "--customers", "5", "--products", "3"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert re.match(
            r"30 events over 2\.9 s, 0\.0 MB; replay them with: c360 load replay ",
            load("record", str(tmp_path / name), *few, "--seed", seed),
        )
    first, same, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == same != other


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "where the events come from"),
        (["--from-topic", "--generate", "5"], "where the events come from"),
        (["--from-topic", "--rate", "5"], "are for --generate"),
        (["--generate", "5", "--last", "3"], "are for --from-topic"),
        (["--generate", "5", "--rate", "max"], "is no rate"),
        (["--from-topic"], "no stack runs"),
    ],
)
def test_a_recording_that_cannot_be_made_is_refused_with_a_hint(args: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load("record", str(tmp_path / "x.rec"), "--state", str(tmp_path / "none"), *args)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--speed", "2x", "--rate", "5"], "exclude each other"),
        (["--profile", "soak:1:1s", "--rate", "5"], "exclude each other"),
        (["--rate", "5", "--count", "3", "--for", "5s"], "each say how much"),
        (["--profile", "soak:1:1s", "--count", "3"], "each say how much"),
        (["--for", "5s"], "needs a rate"),
        (["--rate", "max", "--for", "5s"], "needs a rate"),
        (["--speed", "quick"], "is no speed"),
        (["--rate", "0"], "is no rate"),
        (["--rate", "5", "--for", "5"], "is no duration"),
        (["--profile", "ramp:5:5s"], "is no phase"),
        (["--bootstrap", "127.0.0.1:1"], "which schema id"),
        (["--sink", "eventhubs"], "which schema id"),
        (["--sink", "eventhubs", "--bootstrap", "127.0.0.1:1"], "is for --sink kafka"),
        (["--as-is", "--count", "21", *ELSEWHERE], "21 events are asked for"),
        ([], "no stack runs"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused_with_a_hint(args: list[str], said: str, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load("replay", str(file), "--state", str(tmp_path / "none"), *args)
    assert caught.value.hint


def test_what_is_no_recording_is_refused_in_two_lines_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no recording")
    command = [sys.executable, "-m", "commerce360.cli.main", "load", "replay", str(tmp_path / "x"), *ELSEWHERE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


def test_how_much_and_how_fast(file: Path) -> None:
    recording = Recording.open(file)
    assert _profile(recording, None, None, None, None, None) == Speed(20)
    assert _profile(recording, "10x", None, None, 50, None) == Speed(50, Fraction(10))
    assert _profile(recording, None, "5", None, None, None) == Constant(20, Fraction(5))
    assert _profile(recording, None, "max", None, 7, None) == Unlimited(7)
    made = _profile(recording, None, "2.5", None, None, "1m")
    assert isinstance(made, Phases)
    assert (made.total, made.lasts_us) == (150, 60_000_000)
    assert _profile(recording, None, None, "ramp:0-10:10s", None, None).total == 50
