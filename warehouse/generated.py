"""Migration scripts that are made from the contracts: the repeatable ones as a whole, versioned ones from a difference. Pure.

A repeatable script says how something is now, and is run again when that changes. A versioned one never changes once it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas import access
from schemas.access import Grant, Policy
from schemas.landing import BEFORE_MIGRATIONS, MIGRATION_LEASE, SCHEMAS, Landed
from warehouse import ddl
from warehouse.ddl import DATABASE, literal
from warehouse.history import FREE_ROW

HEAD = "-- Made from schemas/ by `make docs`: change it there.\n"


def repeatables() -> dict[str, str]:
    """Text by file name. Views come behind the policies that they have, privileges behind the views."""
    return {
        "R__1_policies.sql": script(s for policy in access.POLICIES for s in policy_statements(policy)),
        **{f"R__{n}_{schema.lower()}.sql": script(ddl.views(schema)) for n, schema in enumerate(("CORE", "MART", "OPS"), 2)},
        "R__5_grants.sql": script(_grant_statements()),
    }


def script(statements: Iterable[str], head: str = HEAD) -> str:
    """Statements of one line stand close together, others apart."""
    made, short = head, False
    for statement in statements:
        gap = "" if short and "\n" not in statement else "\n"
        made, short = f"{made}{gap}{statement};\n", "\n" not in statement
    return made


def write(folder: Path) -> list[Path]:
    """The repeatable scripts, where they differ from what is there; which were written."""
    changed = []
    for name, text in repeatables().items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def policy_statements(policy: Policy) -> list[str]:
    """Two statements: a policy that a view has cannot be replaced, its body can."""
    name, body = f"{DATABASE}.{policy.name}", policy.body.format(database=DATABASE)
    return [
        f"CREATE {policy.kind} IF NOT EXISTS {name} AS (VAL VARCHAR) RETURNS {policy.returns} ->\n{ddl.wrapped(body)}\n"
        f"COMMENT = {literal(policy.comment)}",
        f"ALTER {policy.kind} {name} SET BODY ->\n{ddl.wrapped(body)}",
    ]


def grant(wanted: Grant) -> str:
    return f"GRANT {wanted.privilege} ON {wanted.kind} {DATABASE}{'.' if wanted.name else ''}{wanted.name} TO ROLE {wanted.role}"


def _grant_statements() -> Iterator[str]:
    """One statement for all privileges of a role on an object."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for one in access.grants():
        if one.kind != "WAREHOUSE":
            together.setdefault((one.kind, one.name, one.role), []).append(one.privilege)
    for (kind, name, role), privileges in together.items():
        yield grant(Grant(", ".join(privileges), kind, name, role))


def revoke(found: Grant, database: str) -> str:
    if found.kind == "ROLE":
        return f"REVOKE ROLE {found.name} FROM ROLE {found.role}"
    if found.kind == "ACCOUNT":
        return f"REVOKE {found.privilege} ON ACCOUNT FROM ROLE {found.role}"
    name = found.name if found.kind == "WAREHOUSE" else f"{database}{'.' if found.name else ''}{found.name}"
    return f"REVOKE {found.privilege} ON {found.kind} {name} FROM ROLE {found.role}"


def schema_statements() -> list[str]:
    return [s for name in SCHEMAS for s in ddl.create_schema(name)]


def table_statements(table: Landed) -> Iterator[str]:
    """CREATE of a table as the contract has it, with the reason for its clustering."""
    if table not in BEFORE_MIGRATIONS:
        why = f"-- Clustered, because {table.why_clustered}.\n" if table.why_clustered else ""
        yield why + ddl.create_table(table, f"{DATABASE}.")
        return
    name = f"{DATABASE}.{table.name}"
    if table is MIGRATION_LEASE:
        yield f"CREATE TABLE IF NOT EXISTS {name} AS {FREE_ROW}"
    yield f"COMMENT ON TABLE {name} IS {literal(table.comment)}"
    for field in table.fields:
        yield f"COMMENT ON COLUMN {name}.{field.name} IS {literal(field.comment)}"
