"""`c360 scd2 replay` and `record` where no service runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from commerce360.cli.scd2_capture import record, replay
from commerce360.errors import ConfigError, UnavailableError
from stream_jobs.scd2.roles import ConfigInvalidError

CAPTURES = Path(__file__).parents[2] / "captures"
MOVED, TRUNCATED = CAPTURES / "primary_key_change", CAPTURES / "truncate"

app = typer.Typer()
app.command()(replay)
app.command()(record)


def c360(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)


def test_json_is_rows_and_rejected_and_nothing_else():
    done = c360("replay", MOVED / "records.jsonl", "--roles", MOVED / "roles.yaml", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert list(found) == ["rows", "rejected"]
    assert found["rejected"] == []
    first = found["rows"][0]
    assert (first["id"], first["moved_to"], first["closed_by"]) == (1, 2, "move")
    assert all(isinstance(row["valid_from"], int) and row["valid_from"] > 1_700_000_000_000_000 for row in found["rows"])


def test_a_table_for_people_shows_versions_and_what_was_rejected(tmp_path: Path):
    roles = tmp_path / "roles.yaml"
    roles.write_text("key: [id]\ntracked: [name, qty]\n")
    shown = c360("replay", TRUNCATED / "records.jsonl", "--roles", roles).stdout
    assert "valid_from" in shown
    assert 'name "Ada", qty 11' in shown
    assert shown.count("rejected, truncate_refused") == 2


def test_values_are_no_markup(tmp_path: Path):
    source = {"sequence": '["1","2"]', "lsn": 2, "ts_us": 3, "snapshot": "false"}
    value = {"op": "c", "after": {"id": 1, "name": "[red]x[/nothing]"}, "source": source}
    made, roles = tmp_path / "made.jsonl", tmp_path / "roles.yaml"
    made.write_text(json.dumps({"topic": "t", "partition": 0, "offset": 0, "key": {"id": 1}, "value": value}))
    roles.write_text("{key: [id], tracked: [name]}")
    assert "[red]x[/nothing]" in c360("replay", made, "--roles", roles).stdout


def test_nothing_to_show_is_said(tmp_path: Path):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert f"{empty}: no version" in c360("replay", empty, "--roles", MOVED / "roles.yaml").stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("roles", "error", "said"),
    [
        ("tracked: [name]", ConfigInvalidError, "no key column"),
        ("{key: [id], tracked: [id]}", ConfigInvalidError, "more than one role for id"),
        ("{key: [id], truncates: close}", ConfigInvalidError, "unknown settings: truncates"),
        ("{key: [id], delete: never}", ConfigInvalidError, "delete must be one of"),
        ("{key: [id], tracked: [name: x]}", ConfigInvalidError, "lists of names"),
        ("{key: [id], 1: x}", ConfigInvalidError, "unknown settings: 1"),
        ("{key: [id], types: [name]}", ConfigError, "no mapping of columns to types"),
        ("[id]", ConfigError, "holds no roles"),
        ("{", ConfigError, "is not YAML"),
    ],
)
def test_bad_roles_are_wrong_usage(tmp_path: Path, roles: str, error: type[ConfigError], said: str):
    file = tmp_path / "roles.yaml"
    file.write_text(roles)
    with pytest.raises(error, match=said) as caught:
        c360("replay", MOVED / "records.jsonl", "--roles", file)
    assert caught.value.exit_code == 2


def test_files_that_are_not_there_are_wrong_usage(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file") as caught:
        c360("replay", tmp_path / "none.jsonl", "--roles", MOVED / "roles.yaml")
    assert "c360 scd2 record" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot read roles"):
        c360("replay", MOVED / "records.jsonl", "--roles", tmp_path / "none.yaml")


def test_the_topic_of_a_capture_is_checked():
    with pytest.raises(ConfigError, match="holds no record of other") as caught:
        c360("replay", MOVED / "records.jsonl", "--roles", MOVED / "roles.yaml", "--topic", "other")
    assert "primary_key_change.public.items" in caught.value.hint


def test_recording_without_a_stack_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setenv("C360_KAFKA__BOOTSTRAP", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UnavailableError, match="does not answer") as caught:
            c360("record", "oltp.sales.customers", "--out", tmp_path / "made.jsonl")
    assert "c360 up" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="is a folder"):
        c360("record", "oltp.sales.customers", "--out", tmp_path)
