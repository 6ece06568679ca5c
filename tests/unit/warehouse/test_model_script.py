"""Scripts as SqlDBM writes them: whichever shape an export has, it says the same; what cannot be read is named by its line."""

import model_scripts
import pytest

from warehouse.model import drift, script, tables
from warehouse.model.kinds import normal, same
from warehouse.model.script import ScriptError
from warehouse.model.tables import Found


@pytest.mark.parametrize("shape", [model_scripts.quoted, model_scripts.bare])
def test_an_export_of_our_own_star_is_equal_to_it(shape):
    assert drift.compare(script.read(shape()), tables.contract()) == []


def test_a_schema_may_be_named_once_and_old_options_of_stages_do_not_matter():
    whole = tables.contract().tables
    core = Found({name: entity for name, entity in whole.items() if name.startswith("CORE.")})
    found = script.read(model_scripts.old())
    assert {name: e.key for name, e in found.tables.items()} == {name: e.key for name, e in core.tables.items()}
    others = [d for d in drift.compare(found, core) if "foreign_key" not in d.kind]
    assert others == []  # its foreign keys may lead to MART, which it does not name


def test_the_line_of_what_cannot_be_read_is_the_one_of_the_file():
    text = "-- a banner; with a semicolon\nCREATE SCHEMA X;\n\nCREATE TABLE A\n(\n B int NOT NULL,\n C number(38,0) of what,\n D int\n);"
    with pytest.raises(ScriptError, match=r"^line 7: not understood: C number\(38,0\) of what") as raised:
        script.read(text)
    assert raised.value.exit_code == 2
    assert "Forward engineer" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("SELECT 1;", 1, "no CREATE TABLE"),
        ("", 1, "no CREATE TABLE"),
        ("version: 2\nmodels:\n  - name: x", 1, "no CREATE TABLE"),
        ("CREATE TABLE A (B int);\n\nALTER TABLE CORE.FCT_SALES ADD COLUMN X int;", 3, "does not create"),
        ("\nCREATE HYBRID TABLE A (B int);", 2, "CREATE HYBRID TABLE"),
        ("\n\nCREATE TABLE A AS SELECT 1 AS B;", 3, "without a list of columns"),
        ("CREATE TABLE A\n(\n B varchar COMMENT 'it\n);", 3, "does not end"),
    ],
)
def test_other_scripts_are_refused_with_a_reason(text, line, says):
    with pytest.raises(ScriptError, match=says) as raised:
        script.read(text)
    assert raised.value.line == line


def test_changes_behind_a_table_count():
    found = script.read(
        """
        CREATE TABLE "CORE"."T" ( "A" int NOT NULL, "B" varchar(50), "C" date, CONSTRAINT "K" PRIMARY KEY ( "B" ) );
        CREATE TABLE CORE.U ( X int PRIMARY KEY, Y int REFERENCES CORE.T, Z int );
        ALTER TABLE IF EXISTS "CORE"."T" DROP CONSTRAINT "K";
        ALTER TABLE "CORE"."T" ADD CONSTRAINT "K2" PRIMARY KEY ( "A" );
        ALTER TABLE "CORE"."T" ALTER COLUMN "B" COMMENT 'the shop''s';
        ALTER TABLE "CORE"."T" ALTER COLUMN "B" SET DATA TYPE string;
        ALTER TABLE "CORE"."T" ALTER COLUMN "B" SET NOT NULL;
        ALTER TABLE "CORE"."T" DROP COLUMN "C";
        ALTER TABLE "CORE"."T" ADD COLUMN "D" datetime;
        ALTER TABLE CORE.T SET COMMENT = 'a table';
        ALTER TABLE CORE.U ADD FOREIGN KEY (Z) REFERENCES CORE.T (A);
        ALTER TABLE CORE.U SWAP WITH CORE.T;
        CREATE VIEW CORE.V AS SELECT 1 AS X;
        """
    )
    table, other = found.tables["CORE.T"], found.tables["CORE.U"]
    assert [(f.name, f.type, f.nullable, f.comment) for f in table.fields.values()] == [
        ("A", "NUMBER(38,0)", False, ""),
        ("B", "VARCHAR", False, "the shop's"),
        ("D", "TIMESTAMP_NTZ(9)", True, ""),
    ]
    assert (table.key, table.comment, other.key) == ({"A"}, "a table", {"X"})
    assert {(k.columns, k.goal) for k in other.links} == {("Y", "CORE.T (A)"), ("Z", "CORE.T (A)")}
    assert [n.split(": ")[1] for n in found.notes] == [
        "not understood, and passed over",
        "a view has neither types nor keys, and is not compared",
    ]


def test_types_of_types_are_read_as_they_are_written():
    found = script.read("CREATE TABLE CORE.A (V VECTOR(FLOAT, 256), W ARRAY(VARCHAR), O OBJECT(a INT), N NUMBER(10,2));")
    assert [f.type for f in found.tables["CORE.A"].fields.values()] == [
        "VECTOR(FLOAT, 256)",
        "ARRAY(VARCHAR)",
        "OBJECT(A INT)",
        "NUMBER(10,2)",
    ]


def test_a_column_that_is_there_twice_is_said():
    found = script.read('-- x\nCREATE TABLE CORE.A ("id" NUMBER, B INT, ID VARCHAR);')
    assert found.notes == ("line 2: CORE.A.ID is there twice; the later one counts",)


def test_a_table_without_a_schema_is_the_one_of_the_star_and_that_is_said():
    found = script.read("CREATE TABLE MART_FUNNEL (A int); CREATE TABLE SOMETHING (A int);")
    assert list(found.tables) == ["MART.MART_FUNNEL", "PUBLIC.SOMETHING"]
    assert len(found.notes) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("int", "NUMBER(38,0)"),
        ("decimal(12)", "number(12,0)"),
        ("text", "varchar(16777216)"),
        ("string", "VARCHAR(134217728)"),
        ("char", "varchar(1)"),
        ("datetime", "TIMESTAMP_NTZ(9)"),
        ("timestamp_ntz ( 6 )", "TIMESTAMP(6)"),
        ("double precision", "FLOAT"),
        ("varbinary", "binary(8388608)"),
    ],
)
def test_names_of_one_type_are_equal(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"), [("varchar(50)", "varchar"), ("number(12,2)", "number(12,4)"), ("timestamp", "timestamp_tz"), ("", "date")]
)
def test_other_types_are_not(one, other):
    assert not same(normal(one), normal(other))


def test_a_precision_that_a_source_does_not_give_is_not_held_against_it():
    assert same("TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ")
    assert not same("TIMESTAMP_NTZ", "TIMESTAMP_NTZ(6)")
    assert not same("VARCHAR(5)", "VARCHAR")
