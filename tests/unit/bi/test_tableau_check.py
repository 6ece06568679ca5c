"""`c360 bi check` against a warehouse: the files pass, and each planted mistake is named with what is there instead."""

import pytest
from typer.testing import CliRunner

from bi.tableau.check import check, read
from bi.tableau.check.catalogue import contract, warehouse
from bi.tableau.workbook import DATASOURCE, FILES, WORKBOOK
from commerce360.cli.main import app
from commerce360.errors import ConfigError
from commerce360.local.warehouse import of_user
from schemas.access import ANALYST
from warehouse import apply
from warehouse.client import Client


@pytest.fixture(scope="module")
def live(migrated):
    with Client(of_user(migrated, ANALYST)) as client, client.connection.cursor() as cursor:
        yield warehouse(cursor, "the warehouse")


@pytest.fixture
def planted(tmp_path, live):
    """`planted(old, new)`: what is found in the workbook with one text replaced, as lines."""

    def plant(old, new, count=1, name=WORKBOOK):
        text = (FILES / name).read_text(encoding="utf-8")
        assert old in text, old
        file = tmp_path / name
        file.write_text(text.replace(old, new, count), encoding="utf-8")
        return [str(finding) for finding in check(file, live)]

    return plant


def test_the_command_asks_the_account_that_the_settings_name(migrated, tmp_path, monkeypatch):
    """Over HTTP, with the real connector, as an analyst."""
    monkeypatch.setattr("commerce360.cli.bi.DEFAULT_STATE", tmp_path)
    analyst = of_user(migrated, ANALYST)
    given = {
        "ACCOUNT": "Local",
        **{n.upper(): getattr(analyst, n) for n in ("host", "port", "protocol", "user", "role", "private_key_file")},
    }
    for name, value in given.items():
        monkeypatch.setenv(f"C360_WAREHOUSE__{name}", str(value))
    done = CliRunner().invoke(app, ["bi", "check"])
    assert (done.exit_code, done.exception) == (0, None), done.output
    assert done.output.startswith("2 files against the warehouse COMMERCE360 of Local, as C360_ANALYST, 0 findings")
    with Client(migrated.warehouse) as owner:
        owner.query("DROP VIEW COMMERCE360.MART.MART_FUNNEL")
        try:
            done = CliRunner().invoke(app, ["bi", "check"])
        finally:
            apply.apply(migrated.warehouse, repeat=True)
    assert done.exit_code == 1
    assert "table MART.MART_FUNNEL is not in the warehouse COMMERCE360 of Local" in done.output
    assert "custom SQL 'funnel_by_campaign_and_device' is refused by the warehouse" in done.output
    done = CliRunner().invoke(app, ["bi", "check", "--state", str(tmp_path / "none")], env={"C360_WAREHOUSE__ACCOUNT": "local"})
    assert isinstance(done.exception, ConfigError)


@pytest.mark.parametrize("name", [DATASOURCE, WORKBOOK])
def test_every_field_of_the_files_exists_in_the_warehouse_with_its_type(live, name):
    assert check(FILES / name, live) == []


def test_the_contract_and_the_warehouse_agree_about_every_view(live):
    assert {name: dict(live.tables[name]) for name in contract().tables} == {name: dict(c) for name, c in contract().tables.items()}


def test_a_column_that_is_not_there_is_named_with_the_one_that_is(planted):
    (found,) = planted('value="[FCT_SALES].[SALE_AMOUNT]"', 'value="[FCT_SALES].[SALES_AMOUNT]"')
    assert found == (
        "commerce360.twb: data source 'Commerce 360': [SALE_AMOUNT] is column SALES_AMOUNT of FCT_SALES, which is not there; "
        "did you mean SALE_AMOUNT?"
    )


def test_a_type_that_the_warehouse_does_not_have_is_found_in_the_source_and_on_its_sheets(planted):
    old = '<column caption="Sale amount" datatype="real" name="[SALE_AMOUNT]"'
    found = planted(old, old.replace("real", "string"))
    assert "commerce360.twb: data source 'Commerce 360': [SALE_AMOUNT] is string; FCT_SALES.SALE_AMOUNT is real" in found
    assert "commerce360.twb: sheet 'Revenue by category': [SALE_AMOUNT] is shown as its Sum; it is string" in found


def test_a_table_that_is_not_there(planted):
    found = planted('table="[COMMERCE360].[CORE].[DIM_DATE]"', 'table="[COMMERCE360].[CORE].[DIM_DATES]"', count=-1)
    assert found == [
        "commerce360.twb: data source 'Commerce 360': table CORE.DIM_DATES is not in the warehouse; did you mean CORE.DIM_DATE?",
    ]


@pytest.mark.parametrize("name", [DATASOURCE, WORKBOOK])
def test_a_formula_that_uses_a_field_which_is_not_there(planted, name):
    found = planted('formula="SUM([PAID]) /', 'formula="SUM([PAYED]) /', name=name)
    assert any(f.endswith("[Conversion] uses [PAYED], which is no field; did you mean PAID?") for f in found)


def test_a_formula_that_adds_up_texts(planted):
    found = planted('formula="SUM([PAID]) /', 'formula="SUM([CHURN_RISK]) /')
    assert found[0] == "commerce360.twb: data source 'Commerce 360': [Conversion] takes SUM of [CHURN_RISK]; it is string"


def test_a_bracket_in_a_text_or_a_comment_of_a_formula_is_no_field(planted):
    assert planted('formula="SUM([PAID]) /', "formula=\"// as in [funnel]&#10;IF '[x]' = '' THEN 0 END + SUM([PAID]) /", count=-1) == []


def test_a_formula_and_a_zone_that_ask_for_an_unknown_parameter(planted):
    found = planted("[Parameters].[Days shown]", "[Parameters].[Day shown]", count=-1)
    assert any("[Is shown] asks for the parameter [Day shown]; did you mean Days shown?" in f for f in found)
    assert any(f.startswith("commerce360.twb: dashboard 'Revenue now': zone") and "is no parameter" in f for f in found)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'op="[PRODUCT_VERSION_KEY]"',
            'op="[PRODUCT_VERSION]"',
            "relationship FCT_SALES - DIM_PRODUCT compares [PRODUCT_VERSION], which is no field; did you mean PRODUCT_VERSION_KEY?",
        ),
        (
            'op="[PRODUCT_VERSION_KEY]"',
            'op="[LINE_NO]"',
            "relationship FCT_SALES - DIM_PRODUCT compares [LINE_NO] with [VERSION_KEY (DIM_PRODUCT)]; integer with string",
        ),
        (
            'op="[PRODUCT_VERSION_KEY]"',
            'op="[SKU]"',
            "relationship FCT_SALES - DIM_PRODUCT compares [SKU]; it is of DIM_PRODUCT, and not of FCT_SALES",
        ),
        ('second-end-point object-id="DIM_DATE_', 'second-end-point object-id="DIM_DATES_', "leads to no object; did you mean DIM_DATE_"),
    ],
)
def test_a_wrong_relationship(planted, old, new, told):
    found = planted(old, new)
    assert len(found) == 1
    assert told in found[0]


def test_a_second_way_between_two_tables(planted, live):
    root = read(FILES / DATASOURCE).root
    ids = {o.get("caption"): o.get("id") for o in root.iter("object")}
    more = (
        '<relationships><relationship><expression op="="><expression op="[DAY (FCT_PAGE_EVENTS)]" /><expression op="[DATE]" /></expression>'
        f'<first-end-point object-id="{ids["Page events"]}" /><second-end-point object-id="{ids["Calendar"]}" /></relationship>'
    )
    (found,) = planted("<relationships>", more, name=DATASOURCE)
    assert "lead from FCT_PAGE_EVENTS to DIM_DATE in more than one way" in found


def test_custom_sql_is_its_file_and_runs(planted):
    (changed,) = planted("LIMIT 30</relation>", "LIMIT 31</relation>", count=-1)
    assert "custom SQL 'sentiment_by_day' differs from bi/queries/sentiment_by_day.sql" in changed
    found = planted("FROM CORE.DIM_CUSTOMER\nWHERE NOT is_inferred</relation>", "FROM CORE.DIM_CUSTOMERS\nWHERE NOT is_inferred</relation>")
    assert any("custom SQL 'customers' is refused by the warehouse" in f and "DIM_CUSTOMERS" in f.upper() for f in found), found


def test_an_answer_whose_type_is_not_what_the_file_says(planted):
    found = planted("<local-type>datetime</local-type>", "<local-type>datetime</local-type>") + planted(
        '<column caption="Minute" datatype="datetime" name="[MINUTE]"', '<column caption="Minute" datatype="date" name="[MINUTE]"'
    )
    assert "commerce360.twb: data source 'Revenue by minute': [MINUTE] is date; revenue_by_minute.MINUTE is datetime" in found


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'y="28000" name="Orders by minute"',
            'y="28000" name="Orders by minutes"',
            "which is no sheet; did you mean Orders by minute?",
        ),
        (
            "[federated.c360_sales_today].[sum:ORDERS_TODAY:qk]",
            "[federated.c360_sales_today].[sum:ORDER_TODAY:qk]",
            "did you mean sum:ORDERS_TODAY:qk?",
        ),
        (
            "<rows>[federated.commerce360].[usr:Kept",
            "<rows>[federated.commerce].[usr:Kept",
            "did you mean federated.commerce360?",
        ),
        ('member="true"', 'member="&quot;yes&quot;"', 'the filter on [Is shown] keeps "yes"; the field is boolean'),
        ('<viewpoint name="Orders today">', '<viewpoint name="Orders yesterday">', "viewpoint 'Orders yesterday' is in no zone of it"),
        ('column="[NET_EUR]" derivation="Sum"', 'column="[MINUTE]" derivation="Sum"', "[MINUTE] is shown as its Sum; it is datetime"),
        (
            'column="[DATE]" derivation="Day-Trunc"',
            'column="[CATEGORY]" derivation="Day-Trunc"',
            "shown as its Day-Trunc; it is string",
        ),
        (
            'column="[CATEGORY]" derivation="None"',
            'column="[BATCH_ID (FCT_SALES)]" derivation="None"',
            "is hidden, and on a sheet",
        ),
        ('<worksheet name="Orders today">', '<worksheet name="Revenue today">', "sheet 'Revenue today' is there 2 times"),
        ('<folder-item name="[QUANTITY]"', '<folder-item name="[QUANTITIES]"', "has [QUANTITIES]; did you mean QUANTITY?"),
    ],
)
def test_a_name_that_leads_nowhere(planted, old, new, told):
    found = planted(old, new)
    assert any(told in f for f in found), found


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'column="[ORDERS_TODAY]" derivation="Sum"',
            'column="[ORDERS_TODAY]" derivation="Avg"',
            "[sum:ORDERS_TODAY:qk] is the Avg of [ORDERS_TODAY], quantitative; its name says something else",
        ),
        ('column="[NET_EUR]" derivation="Sum"', 'column="[GROSS_EUR]" derivation="Sum"', "[sum:NET_EUR:qk] is the Sum of [GROSS_EUR]"),
        (
            'column="[Conversion]" derivation="User" name="[usr:',
            'column="[Conversion]" derivation="Sum" name="[sum:',
            "[Conversion] is shown as its Sum; its formula aggregates already",
        ),
        (
            'column="[SALE_AMOUNT]" derivation="Sum" name="[sum:',
            'column="[SALE_AMOUNT]" derivation="User" name="[usr:',
            "[SALE_AMOUNT] is shown as if its formula aggregated; it does not",
        ),
        (
            'value="[MART_FUNNEL].[PAID]"',
            'value="[MART_FUNNEL].[SESSIONS]"',
            "[PAID] is column SESSIONS of MART_FUNNEL; its metadata say PAID",
        ),
        (
            '<map key="[PAID]"',
            '<map key="[PAID]" value="[MART_FUNNEL].[VIEWED]" /><map key="[PAID]"',
            "mapped field '[PAID]' is there 2 times",
        ),
        (
            "[COMMERCE360].[CORE].[DIM_DATE]",
            "[OTHER].[CORE].[DIM_DATE]",
            "table CORE.DIM_DATE is of the database OTHER; the connection is to",
        ),
    ],
)
def test_a_mistake_whose_names_all_lead_somewhere(planted, old, new, told):
    found = planted(old, new)
    assert any(told in f for f in found), found


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("SUM([PAID] / SUM([VIEWED])", "has a parenthesis too many, or one too few"),
        ("SUM([PAID]) / [VIEWED]", "[Conversion] has [VIEWED] beside an aggregate; aggregate it too"),
        ("SUM([Average order])", "[Conversion] aggregates [Average order]; it is an aggregate already"),
        ("[Conversion] / 2", "[Conversion] uses itself"),
        ("SUM([federated.c360_sales_today].[ORDERS_TODAY])", "whose data source is not on the sheet"),
    ],
)
def test_a_formula_that_tableau_would_refuse(planted, formula, told):
    found = planted("SUM([PAID]) / SUM([SESSIONS (MART_FUNNEL)])", formula, count=-1)
    assert any(told in f for f in found), found


@pytest.mark.parametrize(
    "formula",
    [
        "MAX([PAID], 1) - SUM([VIEWED])",
        "{FIXED [DEVICE (MART_FUNNEL)] : SUM([PAID])}",
        "SUM(IF [PAID] &gt; 0 THEN ([PAID]) END) / [Kept orders]",
    ],
)
def test_a_formula_that_is_right_or_cannot_be_told_is_left_alone(planted, formula):
    found = planted("SUM([PAID]) / SUM([SESSIONS (MART_FUNNEL)])", formula, count=-1)
    assert [f for f in found if "data source 'Commerce 360'" in f] == []


def test_a_formula_that_a_sheet_repeats_differently(tmp_path, live):
    text = (FILES / WORKBOOK).read_text(encoding="utf-8")
    before, formula, behind = text.rpartition("SUM([PAID]) / SUM([SESSIONS (MART_FUNNEL)])")
    file = tmp_path / WORKBOOK
    file.write_text(before + formula.replace("PAID", "VIEWED") + behind, encoding="utf-8")
    (found,) = map(str, check(file, live))
    assert "sheet 'Conversion by day': [Conversion] is SUM([VIEWED]) / SUM([SESSIONS (MART_FUNNEL)])" in found
    assert "it is SUM([PAID])" in found


def test_an_object_of_the_graph_that_asks_another_table(tmp_path, live):
    before, table, behind = (FILES / DATASOURCE).read_text(encoding="utf-8").rpartition("[CORE].[DIM_DATE]")
    assert table
    file = tmp_path / DATASOURCE
    file.write_text(f"{before}[CORE].[DIM_PRODUCT]{behind}", encoding="utf-8")
    assert [(f.what, f.problem) for f in check(file, live)] == [("object 'DIM_DATE'", "asks CORE.DIM_PRODUCT")]


def test_a_table_without_a_relationship(tmp_path, live):
    text = (FILES / DATASOURCE).read_text(encoding="utf-8")
    begin, end = text.index("<relationship>"), text.index("</relationship>") + len("</relationship>")
    assert "CUSTOMER_VERSION_KEY" in text[begin:end]
    file = tmp_path / DATASOURCE
    file.write_text(text[:begin] + text[end:], encoding="utf-8")
    assert [(f.what, f.problem) for f in check(file, live)] == [("table DIM_CUSTOMER", "is related to no other")]


def test_a_filter_may_keep_what_has_no_value(planted):
    assert planted('member="true"', 'member="%null%"') == []


def test_a_data_source_that_no_sheet_uses_and_one_that_is_there_twice(planted):
    other = '<datasource caption="Copy" inline="true" name="copy" version="26.2" />'
    found = planted("<datasources>", f"<datasources>{other}{other}")
    assert "commerce360.twb: the file: data source 'copy' is there 2 times" in found
    assert "commerce360.twb: data source 'Copy': 'copy' is used by no sheet" in found


def test_what_tableau_itself_writes_for_older_versions_is_understood(tmp_path, live):
    """Elements that depend on a feature carry its mark."""
    text = (FILES / DATASOURCE).read_text(encoding="utf-8")
    mark = "_.fcp.ObjectModelEncapsulateLegacy.true..."
    file = tmp_path / "marked.tds"
    file.write_text(text.replace("object-graph>", f"{mark}object-graph>").replace(f"</{mark}object-graph", f"</{mark}object-graph"))
    assert check(file, live) == []
    assert len(read(file).root.findall("object-graph")) == 1
