"""`c360 plan-capacity` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commerce360.cli.main import app
from commerce360.errors import ConfigError


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["plan-capacity", *args], env={"COLUMNS": "200"})


def test_it_says_what_a_rate_takes_and_what_it_assumes() -> None:
    done = run("--events-per-s", "1000")
    assert done.exit_code == 0
    assert "Event Hubs Premium" in done.stdout
    assert "take another design" in done.stdout
    assert "Neither measured nor looked up" in done.stdout


def test_json_is_the_same_reckoning(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[about]\ncurrency = "EUR"\n[credit]\nvalue = 2.0\n')
    done = run("--events-per-s", "500", "--broker", "kafka", "--prices", str(tmp_path / "p.toml"), "--json")
    found = json.loads(done.stdout)
    assert found["currency"] == "EUR"
    assert found["per_month"] == pytest.approx(sum(c["per_month"] for c in found["costs"]))
    assert next(c["price"] for c in found["costs"] if c["item"] == "Snowpipe Streaming") == 2.0
    assert not [t for t in found["not_measured_or_looked_up"] if t.startswith("credit ")]


@pytest.mark.parametrize(
    "args", [["--events-per-s", "0"], ["--events-per-s", "1", "--broker", "rabbit"], ["--events-per-s", "1", "--peak-factor", "0"]]
)
def test_nonsense_is_an_error_of_the_user(args: list[str]) -> None:
    assert isinstance(run(*args).exception, ConfigError)
