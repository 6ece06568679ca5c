"""What somebody opened by hand, and `check` names: a policy that masks nothing, a view with another query, a way round the roles."""

import contextlib

import pytest

from commerce360.local.warehouse import of_admin
from schemas.access import ANALYST, CARE
from warehouse import apply
from warehouse.check import check
from warehouse.client import Client


@pytest.fixture
def admin(migrated):
    with Client(of_admin(migrated)) as client:
        yield client


def told(migrated):
    return [(str(d), d.hint) for d in check(migrated.warehouse)]


def test_a_policy_that_lets_everything_through_is_named_and_repeat_closes_it(migrated, admin):
    database = migrated.warehouse.database
    admin.query(f"ALTER MASKING POLICY {database}.OPS.MASK_TEXT SET BODY -> VAL")
    admin.query(f"ALTER ROW ACCESS POLICY {database}.OPS.BY_COUNTRY SET BODY -> TRUE")
    assert [(text.split(",")[0], hint) for text, hint in told(migrated)] == [
        ("OPS.MASK_TEXT: body VAL", "run `c360 warehouse apply --repeat`"),
        ("OPS.BY_COUNTRY: body TRUE", "run `c360 warehouse apply --repeat`"),
    ]
    apply.apply(migrated.warehouse, repeat=True)
    assert told(migrated) == []


def test_a_view_with_another_query_behind_the_same_columns_is_named(migrated, admin):
    database = migrated.warehouse.database
    (row,) = admin.query(f"SELECT VIEW_DEFINITION FROM {database}.INFORMATION_SCHEMA.VIEWS WHERE TABLE_NAME = 'FRESHNESS'")
    with Client(migrated.warehouse) as owner:
        owner.query(row["view_definition"].replace("SUM(rejected)", "MAX(rejected)"))
    assert told(migrated) == [("OPS.FRESHNESS: query another, not that of schemas/", "run `c360 warehouse apply --repeat`")]
    apply.apply(migrated.warehouse, repeat=True)
    assert told(migrated) == []


@pytest.mark.parametrize(
    ("granted", "undone", "said"),
    [
        (f"ROLE {CARE} TO ROLE {ANALYST}", f"ROLE {CARE} FROM ROLE {ANALYST}", f"{CARE}: USAGE of {ANALYST} unknown"),
        ("USAGE ON SCHEMA {}.RAW TO ROLE PUBLIC", "USAGE ON SCHEMA {}.RAW FROM ROLE PUBLIC", "RAW: USAGE of PUBLIC unknown"),
        (
            f"APPLY MASKING POLICY ON ACCOUNT TO ROLE {ANALYST}",
            f"APPLY MASKING POLICY ON ACCOUNT FROM ROLE {ANALYST}",
            f"the account: APPLY MASKING POLICY of {ANALYST} unknown",
        ),
    ],
)
def test_a_way_round_the_roles_comes_with_the_statement_that_closes_it(migrated, admin, granted, undone, said):
    database = migrated.warehouse.database
    undo = f"REVOKE {undone.format(database)}"
    with contextlib.ExitStack() as ends:
        ends.callback(admin.query, undo)
        admin.query(f"GRANT {granted.format(database)}")
        assert told(migrated) == [(said, undo)]
    assert told(migrated) == []
