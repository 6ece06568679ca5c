"""Who may do what: the contract itself, held against the views, the landing tables and what is personal."""

from schemas import access, landing, star
from schemas.access import ANALYST, CARE, LOADER, OPS, TRANSFORMER, grants
from schemas.personal import TEXTS
from schemas.tables import DIM_HOLIDAY


def of(role, kind=None):
    return {(g.privilege, g.name) for g in grants() if g.role == role and kind in (None, g.kind)}


def test_the_loader_writes_landing_tables_and_reads_nothing_but_the_batches():
    tables = of(LOADER, "TABLE")
    assert {n for p, n in tables if p == "INSERT"} == {t.name for t in landing.TABLES if t.streamed}
    assert {n for p, n in tables if p == "SELECT"} == {"OPS.LAKE_BATCHES"}
    assert {p for p, _ in tables} == {"INSERT", "SELECT", "EVOLVE SCHEMA"}
    assert of(LOADER, "VIEW") == set()


def test_analysts_and_customer_care_read_views_only_and_the_same_ones():
    views = {("SELECT", v.name) for v in star.VIEWS} | {("SELECT", "OPS.FRESHNESS")}
    assert of(ANALYST, "VIEW") == of(CARE, "VIEW") == views
    assert of(ANALYST, "TABLE") == of(CARE, "TABLE") == set()


def test_operations_read_ops_only():
    assert {name.split(".")[0] for _, name in of(OPS) if name and not name.startswith("C360_")} == {"OPS"}


def test_the_owner_needs_no_privilege_but_its_warehouse():
    assert of(TRANSFORMER) == {("USAGE", access.TRANSFORM_WAREHOUSE)}


def test_every_personal_text_of_a_view_is_masked_and_nothing_else():
    shown = {v.table: v.name for v in star.VIEWS}
    wanted = {(shown[t], c.upper()) for t, columns in TEXTS.items() if t in shown for c in columns}
    assert set(access.masked()) == wanted
    assert ("CORE.DIM_CUSTOMER", "EMAIL") in wanted


def test_every_view_with_people_of_a_country_is_bound_to_it():
    views = [v for v in star.VIEWS if v.table is not DIM_HOLIDAY]  # what anybody may know of a country
    with_country = {v.name for v in views if any(c.name == "country" for c in v.columns)}
    assert set(access.filtered()) == with_country


def test_every_column_that_people_see_has_a_comment():
    empty = [f"{t.name}.{f.name}" for t in landing.TABLES for f in t.fields if not f.comment]
    empty += [f"{v.name}.{c.name}" for v in star.VIEWS for c in v.columns if not c.comment]
    empty += [c.name for c in star.FRESHNESS.columns if not c.comment]
    assert empty == []
    assert all(x.comment for x in (*landing.TABLES, *star.VIEWS))
