"""The committed script, picture and page: made from the star as it is, and fit for their readers."""

import logging
import re
import xml.etree.ElementTree as ET
from io import StringIO
from itertools import combinations

import pytest
import sqlglot
from sqlglot import exp

from commerce360.cli import reference
from schemas import star
from warehouse.model import export, layout, mermaid, picture, shown

SVG = "{http://www.w3.org/2000/svg}"


def test_committed_files_are_what_the_star_makes():
    for file, text in reference.star().items():
        assert file.read_text(encoding="utf-8") == text, f"{file} is old: `make docs`"


def test_the_script_holds_nothing_but_schemas_and_tables_that_the_parser_knows():
    kinds = [(type(s), s.args.get("kind")) for s in sqlglot.parse(export.script(), read="snowflake") if s]
    assert set(kinds) == {(exp.Create, "SCHEMA"), (exp.Create, "TABLE")}
    assert kinds.count((exp.Create, "TABLE")) == len(star.VIEWS)


def test_the_local_snowflake_runs_the_script_from_top_to_bottom(tmp_path):
    from snowflake.connector.util_text import split_statements

    from commerce360.local.doubles.snowflake.engine import Engine, local_sql

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    engine = Engine(tmp_path)
    cursor = engine.snow.connect("MODEL").cursor()
    for statement, _ in split_statements(StringIO(export.script()), remove_comments=True):  # as the connector runs a script
        if statement:
            cursor.execute(local_sql(statement))
    made = cursor.execute(
        "SELECT TABLE_SCHEMA || '.' || TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE'"
    ).fetchall()
    assert {row[0] for row in made} == {view.name for view in star.VIEWS}
    engine.duck.close()


def test_a_table_stands_behind_those_that_it_refers_to_and_each_key_leads_to_a_key():
    seen, keys = set(), {}
    for create in sqlglot.parse(export.script(), read="snowflake"):
        if create is None or create.args["kind"] != "TABLE":
            continue
        name = create.this.this.sql()
        seen.add(name)
        for constraint in create.find_all(exp.PrimaryKey):
            keys.setdefault(name, []).append([c.name for c in constraint.expressions])
        for constraint in create.find_all(exp.UniqueColumnConstraint):
            keys.setdefault(name, []).append([c.name for c in constraint.this.expressions])
        for constraint in create.find_all(exp.ForeignKey):
            target = constraint.args["reference"].this
            assert target.this.sql() in seen
            assert [c.name for c in target.expressions] in keys[target.this.sql()]


def test_names_of_constraints_are_unique():
    names = re.findall(r'CONSTRAINT "(\w+)"', export.script())
    assert len(names) == len(set(names)) > sum(len(v.references) for v in star.VIEWS)


def test_every_view_and_reference_is_in_the_diagrams():
    text = mermaid.page()
    shared = [v.entity for v in star.VIEWS if shown.kind(v.entity) == "dim" and not v.references]
    assert sorted([*shared, *(e for part in mermaid.PARTS.values() for e in part)]) == sorted(shown.entities())
    for view in star.VIEWS:
        assert f"    {view.entity.upper()} {{" in text
        for r in view.references:
            sign = "--" if r.whole else ".."
            assert f'{view.entity.upper()} }}o{sign}o| {r.target.upper()} : "{", ".join(r.columns)}"' in text


def test_telling_columns_are_columns():
    for entity, names in shown.TELLING.items():
        assert set(names) <= {c.name for c in star.BY_ENTITY[entity].columns}, entity
    assert set(shown.TELLING) == set(shown.entities())


@pytest.fixture(scope="module")
def drawn():
    return layout.draw()


def test_every_view_and_reference_is_in_the_picture(drawn):
    assert set(drawn.boxes) == set(shown.entities())
    assert sorted((line.source, line.reference.columns) for line in drawn.lines) == sorted(
        (view.entity, r.columns) for view in star.VIEWS for r in view.references
    )


def test_boxes_stand_apart_and_inside_the_picture(drawn):
    for one, other in combinations(drawn.boxes.values(), 2):
        beside = one.x + layout.BOX < other.x or other.x + layout.BOX < one.x
        assert beside or one.y + one.height < other.y or other.y + other.height < one.y, (one.entity, other.entity)
    assert all(b.x >= 0 and b.x + layout.BOX <= layout.WIDTH and b.y >= 0 for b in drawn.boxes.values())


def test_a_line_runs_from_row_to_row_and_through_no_box(drawn):
    for line in drawn.lines:
        source, target = drawn.boxes[line.source], drawn.boxes[line.reference.target]
        assert line.points[0][1] == source.row_y(line.reference.columns[0])
        assert line.points[-1][1] == target.row_y(line.reference.target_columns[0])
        assert line.points[0][0] in (source.x, source.x + layout.BOX)
        assert line.points[-1][0] in (target.x, target.x + layout.BOX)
        for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
            for box in drawn.boxes.values():
                crosses = (
                    min(x0, x1) < box.x + layout.BOX and max(x0, x1) > box.x and min(y0, y1) < box.y + box.height and max(y0, y1) > box.y
                )
                assert not crosses, (line.source, line.reference, box.entity)


def test_lines_to_different_tables_never_lie_on_each_other(drawn):
    for one, other in combinations(drawn.lines, 2):
        if one.reference.target == other.reference.target:
            continue
        for (x0, y0), (x1, y1) in zip(one.points, one.points[1:], strict=False):
            for (a0, b0), (a1, b1) in zip(other.points, other.points[1:], strict=False):
                flat = y0 == y1 == b0 == b1 and min(x0, x1) < max(a0, a1) and min(a0, a1) < max(x0, x1)
                upright = x0 == x1 == a0 == a1 and min(y0, y1) < max(b0, b1) and min(b0, b1) < max(y0, y1)
                assert not flat, (one, other)
                assert not upright, (one, other)


def test_the_name_and_the_type_of_a_row_do_not_touch(drawn):
    wide = 0.61 * 11  # of a letter in the widest of the fonts
    for box in drawn.boxes.values():
        for row in box.rows:
            assert 31 + wide * (len(row.name) + len(row.type) + 1) + 8 <= layout.BOX, (box.entity, row.name)


def test_the_picture_is_text_with_a_title_and_names_each_column_that_it_shows():
    root = ET.fromstring(picture.svg())
    assert root.get("role") == "img"
    title, desc = (root.find(f"{SVG}{tag}") for tag in ("title", "desc"))
    assert [title.get("id"), desc.get("id")] == root.get("aria-labelledby").split()
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    for view in star.VIEWS:
        assert view.name in texts
        assert view.entity in desc.text
        assert {r.name for r in shown.rows(view)} <= set(texts)
