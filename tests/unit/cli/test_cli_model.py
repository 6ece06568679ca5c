"""`c360 warehouse model` as a user gets it: what is said, and the exit codes."""

import json

import pytest
from typer.testing import CliRunner

from commerce360.cli.warehouse.model import app
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas import star
from warehouse.model import export, mermaid


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.setenv("C360_LAKE__ROOT", str(tmp_path / "lake"))

    def run(*args):
        done = CliRunner().invoke(app, [*args, *(["--state", str(tmp_path / "none")] if args[0] == "check" else [])])
        return done.exit_code, done.output, done.exception

    return run


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "model.sql"
    made.write_text("\ufeff" + export.script(), encoding="utf-8")  # as some editors begin a file
    return made


def test_what_is_written_is_equal_and_what_is_not_at_hand_is_said(told, tmp_path):
    file = tmp_path / "star.sql"
    assert told("write", str(file))[0] == 0
    code, output, _ = told("check", str(file))
    assert code == 0
    assert "contract: equal" in output
    assert "lake: not compared: the lake has none of the star's tables yet" in output
    assert "warehouse: not compared: there is no stack in" in output


def test_a_difference_from_contract_and_lake_is_told_once(told, file, tmp_path):
    lake = Lake(LakeSettings(root=str(tmp_path / "lake")))
    for view in star.VIEWS:
        lake.create(view.table)
    file.write_text(export.script().replace('"SALE_AMOUNT"', '"SOLD"'))
    code, output, _ = told("check", str(file))
    assert code == 1
    assert output.count("CORE.FCT_SALES.SALE_AMOUNT: the model has no such column (renamed to SOLD?) [contract, lake]") == 1
    assert "lake: 2 differences" in output
    code, output, _ = told("check", str(file), "--only", "lake", "--json")
    said = json.loads(output)
    assert (code, said["compared"], said["equal"]) == (1, ["lake"], False)
    assert [(d["against"], d["kind"], d["table"], d["column"]) for d in said["drifts"]] == [
        ("lake", "missing_column", "CORE.FCT_SALES", "SALE_AMOUNT"),
        ("lake", "surplus_column", "CORE.FCT_SALES", "SOLD"),
    ]


def test_what_only_names_must_be_at_hand(told, file):
    code, output, _ = told("check", str(file), "--only", "warehouse", "--json")
    assert code == 3
    assert "there is no stack" in json.loads(output)["not_compared"]["warehouse"]


@pytest.mark.parametrize(
    ("text", "says"), [("CREATE TABLE A\n(\n B int what is this\n);", "line 3: not understood"), ("", "no CREATE TABLE")]
)
def test_a_file_that_cannot_be_read_is_wrong_usage(told, file, text, says):
    file.write_text(text)
    _, _, error = told("check", str(file))
    assert (error.exit_code, says in error.message) == (2, True)


def test_a_file_that_is_not_there_or_not_text_is_wrong_usage(told, file, tmp_path):
    file.write_bytes(b"\xff\xfeC\x00")
    for path in (file, tmp_path / "other.sql"):
        assert told("check", str(path))[2].exit_code == 2
    assert told("check", str(file), "--only", "moon")[2].exit_code == 2


def test_the_diagram_is_mermaid_or_a_picture(told, tmp_path):
    assert told("diagram")[1].count("```mermaid\nerDiagram") == len(mermaid.PARTS)
    assert told("diagram", str(tmp_path / "star.svg"))[0] == 0
    assert (tmp_path / "star.svg").read_text(encoding="utf-8").startswith("<svg ")
