"""Tableau's files: what is committed is what the contract makes, and the numbers are those of bi/queries."""

import datetime as dt
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from bi.queries import sql
from bi.tableau import model
from bi.tableau.answers import ANSWERS, BY_NAME, SHARES
from bi.tableau.calculations import CALCULATIONS
from bi.tableau.check.reading import Source, unescaped
from bi.tableau.environments import environment
from bi.tableau.fields import INTERNAL, TABLES
from bi.tableau.sheets import DASHBOARDS, SHEETS
from bi.tableau.workbook import DATASOURCE, FILES, WORKBOOK, build
from bi.tableau.worksheet import pills
from commerce360.cli.main import app
from commerce360.errors import ConfigError
from schemas import tables
from schemas.marts import MART_CUSTOMER_360, MART_FUNNEL, MART_PRODUCT_PULSE
from schemas.reading import SNOWFLAKE
from schemas.star import BY_ENTITY
from warehouse import ddl


@pytest.fixture(scope="module")
def session(owner):
    return owner


@pytest.fixture
def landed(session):
    """`landed(table, *rows)`: rows of a complete batch; they go with the test."""
    least = {"bigint": "0", "int": "0", "boolean": "FALSE", "string": "''", "date": "'2026-03-01'"}

    def land(table, *rows):
        for row in rows:
            values = {c.name: "NULL" if c.nullable else least.get(c.type, "0") for c in table.fed_columns}
            values |= {name: "NULL" if value is None else f"'{value}'" for name, value in row.items()}
            names = ", ".join(map(SNOWFLAKE.quote, values))
            session.execute(f"INSERT INTO {ddl.landing(table)} ({names}) SELECT {', '.join(values.values())}")

    session.execute("BEGIN")
    yield land
    session.execute("ROLLBACK")


def asked(session, statement):
    session.execute(statement)
    names = [d[0].lower() for d in session.description]
    return [dict(zip(names, row, strict=True)) for row in session.fetchall()]


def test_the_committed_files_are_what_the_contract_makes():
    made = build(environment())
    assert made == {file.name: file.read_bytes() for file in FILES.iterdir()}, "make them again: c360 bi build"


def test_build_writes_into_a_folder_for_an_environment(tmp_path):
    done = CliRunner().invoke(app, ["bi", "build", "--out", str(tmp_path / "out"), "--env", "production"])
    assert done.exit_code == 0, done.output
    assert {f.name for f in (tmp_path / "out").iterdir()} == {DATASOURCE, WORKBOOK}
    assert isinstance(CliRunner().invoke(app, ["bi", "build", "--env", "production"]).exception, ConfigError)


def test_a_file_says_nothing_of_the_machine_or_the_time_it_was_made():
    for file in FILES.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|tmp|work|Users)/|\b20\d\d-\d\d-\d\dT", text)


def test_each_connection_is_live_and_sets_a_query_tag():
    for name, tag in (
        (DATASOURCE, '{"app":"tableau","datasource":"commerce360"}'),
        (WORKBOOK, '{"app":"tableau","workbook":"commerce360"}'),
    ):
        root = ET.parse(FILES / name).getroot()
        found = [c for c in root.iter("connection") if c.get("class") == "snowflake"]
        assert {c.get("one-time-sql") for c in found} == {f"ALTER SESSION SET QUERY_TAG = '{tag}'"}
        assert root.findall(".//extract") == []
        if name == WORKBOOK:
            assert len(found) == 1 + len(ANSWERS)


def test_custom_sql_is_the_file_byte_for_byte_in_both_of_its_places():
    root = ET.parse(FILES / WORKBOOK).getroot()
    texts = [r for r in root.iter("relation") if r.get("type") == "text"]
    assert len(texts) == 2 * len(ANSWERS)
    for relation in texts:
        assert unescaped(relation.text) == sql(relation.get("name"))
        assert not re.search(r"(?<!<)<(?!<)|(?<!>)>(?!>)", relation.text)  # a single < begins a parameter


def test_an_object_repeats_its_relation():
    for source in map(Source, ET.parse(FILES / WORKBOOK).getroot().findall("datasources/datasource")):
        repeated = {
            r.get("name"): (r.get("table"), r.text) for r in source.element.findall("object-graph/objects/object/properties/relation")
        }
        own = {r.get("name"): (r.get("table"), r.text) for r in source.element.findall("connection//relation") if r.get("name")}
        assert repeated == own


def test_the_star_has_every_column_of_its_views_and_hides_what_is_internal():
    fields = {(f.table.lower(), f.column.lower()): f for f in model.fields()}
    assert set(fields) == {(entity, c.name) for entity in TABLES for c in BY_ENTITY[entity].columns}
    assert len({f.name for f in model.fields()}) == len({f.caption for f in model.fields()}) == len(fields)
    assert {column for (_, column), f in fields.items() if not f.hidden} & INTERNAL == set()
    for view in model.views():
        for column in view.columns:
            assert fields[view.entity, column.name].comment == column.comment


def test_keys_and_years_are_not_added_up_and_prices_are_averaged():
    fields = {(f.table.lower(), f.column.lower()): (f.role, f.aggregation) for f in model.fields()}
    for key in (("fct_sales", "customer_id"), ("fct_sales", "line_no"), ("dim_date", "year"), ("dim_product", "product_id")):
        assert fields[key][0] == "dimension", key
    assert fields["dim_product", "price"] == ("measure", "Avg")
    assert fields["fct_sales", "unit_price"] == ("measure", "Avg")
    assert fields["fct_sales", "sale_amount"] == ("measure", "Sum")
    assert fields["mart_customer_360", "lifetime_value"] == ("measure", "Sum")


def test_the_amount_of_an_order_is_not_added_up_over_its_touches():
    fields = {f.column.lower(): f for f in model.fields() if f.table == "MART_ATTRIBUTION"}
    assert (fields["amount"].hidden, fields["touches"].role) == (True, "dimension")
    assert (fields["linear"].hidden, fields["linear"].aggregation) == (False, "Sum")


def test_a_sheet_that_shows_a_rate_has_a_mark_for_each_row_of_its_answer():
    """Else the rates of two products of one name would be added up."""
    rates = 0
    for sheet in SHEETS:
        answer = BY_NAME.get(sheet.source)
        if answer and {p.field.lower() for p in pills(sheet)} & SHARES:
            rates += 1
            keys = {f.name for f in answer.fields if f.name.endswith("_ID")}
            assert keys <= {p.field for p in (*sheet.rows, *sheet.cols)}, sheet.name
    assert rates == 2


def test_every_sheet_is_on_one_dashboard_and_a_row_is_as_high_as_its_share():
    shown = [name for board in DASHBOARDS for _, names in board.grid for name in names]
    assert sorted(shown) == sorted(sheet.name for sheet in SHEETS)
    for board in DASHBOARDS:
        assert sum(share for share, _ in board.grid) == 100


def test_the_page_about_tableau_names_each_dashboard_and_each_file_behind_it():
    page = (Path(__file__).parents[3] / "docs" / "tableau.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| ([A-Z][\w ]+) \| .* \| (`.*`) \|$", page, re.M))
    sources = {sheet.name: sheet.source for sheet in SHEETS}
    for board in DASHBOARDS:
        files = {f"{sources[name]}.sql" for _, names in board.grid for name in names} - {"star.sql"}
        assert files == set(re.findall(r"\w+\.sql", named[board.name])), board.name


def test_zones_fill_their_dashboard_and_do_not_overlap():
    for board in ET.parse(FILES / WORKBOOK).getroot().iter("dashboard"):
        zones = [{a: int(z.get(a)) for a in "xywh"} for z in board.findall("zones/zone/zone")]
        assert 0.99 < sum(z["w"] * z["h"] for z in zones) / 10**10 <= 1
        for i, a in enumerate(zones):
            assert a["x"] + a["w"] <= 100_000
            assert a["y"] + a["h"] <= 100_000
            for b in zones[:i]:
                apart = a["x"] >= b["x"] + b["w"] or b["x"] >= a["x"] + a["w"] or a["y"] >= b["y"] + b["h"] or b["y"] >= a["y"] + a["h"]
                assert apart, (board.get("name"), a, b)


def formula(name):
    """A calculation as SQL: formulas of sums are SQL already, but for the names of fields."""
    columns = {f.name: f.column for f in model.fields()}
    text = next(c.formula for c in CALCULATIONS if c.name == name)
    numerator, denominator = re.sub(r"\[([^\]]+)\]", lambda m: columns[m[1]], text).split(" / ")
    return f"{numerator} / NULLIF({denominator}, 0)"


def test_a_rate_is_what_the_file_that_its_comment_names_computes(session, landed):
    day = dt.date(2026, 3, 1)
    landed(tables.BATCHES, {})
    campaign = {"day": day, "campaign_id": "spring"}
    landed(MART_FUNNEL, {**campaign, "device": "phone", "sessions": 8, "paid": 1}, {**campaign, "device": "desk", "sessions": 2, "paid": 2})
    rated = {"day": day, "views": 1, "reviews": 3, "rated_reviews": 2, "rating_sum": 7, "scored_reviews": 3, "sentiment_sum": "-0.5000"}
    landed(MART_PRODUCT_PULSE, {**rated, "product_id": 1}, {**rated, "product_id": 2, "rating_sum": 3, "scored_reviews": 1})
    bought = {"tier": "gold", "orders": 4}
    landed(MART_CUSTOMER_360, {**bought, "customer_id": 1, "returned_orders": 1}, {**bought, "customer_id": 2})
    for name, view, file, column in (
        ("Conversion", "MART.MART_FUNNEL GROUP BY device ORDER BY device", "funnel_by_campaign_and_device", "conversion"),
        ("Average rating of products", "MART.MART_PRODUCT_PULSE GROUP BY day", "sentiment_by_day", "average_rating"),
        ("Average sentiment of products", "MART.MART_PRODUCT_PULSE GROUP BY day", "sentiment_by_day", "average_sentiment"),
        ("Return rate of orders", "MART.MART_CUSTOMER_360 GROUP BY tier", "tiers", "return_rate"),
    ):
        mine = sorted(round(float(r["rate"]), 3) for r in asked(session, f"SELECT {formula(name)} AS rate FROM {view}"))
        theirs = sorted(float(r[column]) for r in asked(session, sql(file)))
        assert [round(m, 2) for m in mine] == [round(t, 2) for t in theirs], name


def test_freshness_says_for_each_stream_how_old_its_newest_row_is_on_each_hop(session, landed):
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    before = [now - dt.timedelta(seconds=s) for s in (40, 30, 20)]
    landed(tables.BATCHES, {"committed_at": before[2]})
    sale = {"order_id": "o", "line_no": 1, "is_complete": "true", "ordered_at": before[0]}
    landed(tables.FCT_SALES, {**sale, "event_ts": before[0], "kafka_ts": before[1]}, {**sale, "line_no": 2, "event_ts": "2026-01-01"})
    rows = asked(session, sql("freshness"))
    assert [(r["stream"], r["hop_no"], r["hop"]) for r in rows] == [
        ("sales", 1, "changed at the source"),
        ("sales", 2, "in Kafka"),
        ("sales", 3, "in the lake"),
        ("sales", 4, "readable here"),
    ]
    behind = [float(r["behind_s"]) for r in rows]
    assert behind == sorted(behind, reverse=True)
    assert (round(behind[0] - behind[1]), round(behind[1] - behind[2]), behind[3]) == (10, 10, 0)
    assert rows[0]["newest_at"] == before[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\naccount = 'x'", "lacks warehouse, role, database"),
        ("[a]\naccount='x'\nwarehouse='w'\nrole='r'\ndatabase='d'\npassword='p'", "has password"),
        ("[a]\naccount='x'\nwarehouse='w'\nrole='r'\ndatabase='d'\nauthentication='password'", "authentication 'password'"),
        ("[b]", "no environment 'a'"),
        ("[a", "Expected"),
        ("a = 1", "a must be a table of texts"),
        ("[a]\naccount = 5", "a must be a table of texts"),
    ],
)
def test_a_wrong_environment_is_named(tmp_path, text, told):
    file = tmp_path / "environments.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(told)):
        environment("a", file)
    with pytest.raises(ConfigError, match="cannot be read"):
        environment("a", tmp_path / "absent.toml")


def test_check_leaves_with_one_and_tells_programs_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("commerce360.cli.bi.DEFAULT_STATE", tmp_path)
    file = Path("wrong.twb")
    file.write_text((FILES / WORKBOOK).read_text(encoding="utf-8").replace("[FCT_SALES].[SALE_AMOUNT]", "[FCT_SALES].[AMOUNT_SOLD]"))
    done = CliRunner().invoke(app, ["bi", "check", str(file)])
    assert done.exit_code == 1
    assert "wrong.twb: data source 'Commerce 360': [SALE_AMOUNT] is column AMOUNT_SOLD of FCT_SALES, which is not there" in done.output
    assert "schema: C360_TABLEAU__XSD is not set" in done.output
    done = CliRunner().invoke(app, ["bi", "check", str(file), "--json"])
    assert '"what": "[SALE_AMOUNT]"' in done.output
    assert CliRunner().invoke(app, ["bi", "check"]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, ["bi", "check", "absent.twb"]).exception, ConfigError)
