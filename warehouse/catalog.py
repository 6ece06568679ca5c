"""What a warehouse has, as the contract wants it and as a live one says: schemas, tables, views, policies, privileges.

Both are the same `Catalog`, so that `drift` can compare them and `draft` can write what is between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from commerce360.snowflake import Row
from schemas import access, star
from schemas import columns as lake
from schemas.access import Grant
from schemas.landing import BEFORE_MIGRATIONS, SCHEMAS, TABLES, Landed
from schemas.types import SNOWFLAKE
from warehouse import ddl

Query = Callable[[str], list[Row]]
TABLE, VIEW = "TABLE", "VIEW"
TYPES = {"TEXT": "VARCHAR"}
GRANTED = {"DATABASE", "SCHEMA", "TABLE", "VIEW", "WAREHOUSE", "ROLE"}
POWERS = {"MANAGE GRANTS", "APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY"}  # on the account: whoever has one may undo what is here


@dataclass(frozen=True)
class Column:
    """`type` as Snowflake writes it; empty where the contract leaves it open."""

    name: str
    type: str
    nullable: bool
    comment: str
    policy: str = ""  # OPS.POLICY that masks it


@dataclass(frozen=True)
class Relation:
    name: str  # SCHEMA.OBJECT
    kind: str
    comment: str
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...] = ()
    evolves: bool = False
    logs_errors: bool = False
    row_policy: tuple[str, str] = ("", "")  # column and OPS.POLICY
    query: str = ""  # of a view, words with one space between them; a live one may have its CREATE before it

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Catalog:
    schemas: Mapping[str, str]  # comment by name
    relations: Mapping[str, Relation]
    grants: frozenset[Grant] = frozenset()
    errors: Mapping[str, int] = field(default_factory=dict)  # rows in error tables, where there are any
    policies: Mapping[str, str] = field(default_factory=dict)  # body by OPS.POLICY


def contract() -> Catalog:
    relations = [*(_table(t) for t in TABLES), *(_view(v.name, v.comment, v.columns, ddl.select(v.table)) for v in star.VIEWS)]
    relations.append(_view(star.FRESHNESS.name, star.FRESHNESS.comment, star.FRESHNESS.columns, ddl.FRESHNESS))
    policies = {p.name: _words(p.body.format(database=ddl.DATABASE)) for p in access.POLICIES}
    return Catalog(SCHEMAS, {r.name: r for r in relations}, frozenset(access.grants()), policies=policies)


def _table(table: Landed) -> Relation:
    typed = table not in BEFORE_MIGRATIONS  # those are schemachange's and the lease's own affair
    columns = tuple(Column(f.name, f.type if typed else "", f.nullable, f.comment) for f in table.fields)
    return Relation(table.name, TABLE, table.comment, columns, table.cluster_by, table.streamed, table.streamed)


def _view(name: str, comment: str, shown: tuple[lake.Column, ...], query: str) -> Relation:
    masked, (column, policy) = access.masked(), access.filtered().get(name, ("", None))
    columns = []
    for c in shown:
        mask = masked.get((name, c.name.upper()))
        columns.append(Column(c.name.upper(), SNOWFLAKE[c.type], True, c.comment, mask.name if mask else ""))
    return Relation(name, VIEW, comment, tuple(columns), row_policy=(column, policy.name if policy else ""), query=_words(query))


class Live:
    """Reads the catalog of one database. `query` answers with lower-case names and raises C360Error."""

    def __init__(self, query: Query, database: str) -> None:
        self.query = query
        self.database = database

    def tables(self) -> Catalog:
        """Schemas, tables and views with their columns and options; nothing of policies, privileges and errors."""
        wanted = ", ".join(f"'{s}'" for s in SCHEMAS)
        inside = f"{self.database}.INFORMATION_SCHEMA"
        schemas = self.query(f"SELECT SCHEMA_NAME, COMMENT FROM {inside}.SCHEMATA WHERE SCHEMA_NAME IN ({wanted})")
        columns: dict[str, list[Column]] = {}
        for row in self.query(f"SELECT * FROM {inside}.COLUMNS WHERE TABLE_SCHEMA IN ({wanted}) ORDER BY ORDINAL_POSITION"):
            columns.setdefault(_name(row), []).append(_column(row))
        options = {f"{r['schema_name']}.{r['name']}": r for r in self.query(f"SHOW TABLES IN DATABASE {self.database}")}
        rows = self.query(f"SELECT * FROM {inside}.TABLES WHERE TABLE_SCHEMA IN ({wanted})")
        made = [_relation(row, columns.get(_name(row), []), options.get(_name(row), {})) for row in rows]
        return Catalog({r["schema_name"]: r["comment"] or "" for r in schemas}, {r.name: r for r in made})

    def everything(self) -> Catalog:
        known = self.tables()
        relations = {name: self._with_policies(r) if r.kind == VIEW else r for name, r in known.relations.items()}
        errors = {name: n for name, r in relations.items() if r.logs_errors and (n := self._errors(name))}
        grants = frozenset(g for role in access.ROLES for g in self._grants(role)) | frozenset(self._others())
        return replace(known, relations=relations, errors=errors, grants=grants, policies=self._policies())

    def _with_policies(self, view: Relation) -> Relation:
        name = f"{self.database}.{view.name}"
        of = f"REF_ENTITY_NAME => '{name}', REF_ENTITY_DOMAIN => 'VIEW'"
        masks: dict[str, str] = {}
        rows = ("", "")
        for row in self.query(f"SELECT * FROM TABLE({self.database}.INFORMATION_SCHEMA.POLICY_REFERENCES({of}))"):
            policy = f"{row['policy_schema']}.{row['policy_name']}"
            if row["policy_kind"] == "MASKING_POLICY":
                masks[row["ref_column_name"]] = policy
            elif row["policy_kind"] == "ROW_ACCESS_POLICY":
                rows = (", ".join(re.findall(r"\w+", row["ref_arg_column_names"] or "")), policy)
        columns = tuple(replace(c, policy=masks.get(c.name, "")) for c in view.columns)
        return replace(view, columns=columns, row_policy=rows, query=self._queries.get(view.name, ""))

    @cached_property
    def _queries(self) -> dict[str, str]:
        """CREATE of every view that the role owns."""
        rows = self.query(f"SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM {self.database}.INFORMATION_SCHEMA.VIEWS")
        return {_name(row): _words(row["view_definition"] or "") for row in rows}

    def _policies(self) -> dict[str, str]:
        """Body of each policy of the contract that is there."""
        found = {}
        for kind, plural in (("MASKING POLICY", "MASKING POLICIES"), ("ROW ACCESS POLICY", "ROW ACCESS POLICIES")):
            for row in self.query(f"SHOW {plural} IN DATABASE {self.database}"):
                name = f"{row['schema_name']}.{row['name']}"
                if row["database_name"] == self.database and any(p.name == name and p.kind == kind for p in access.POLICIES):
                    body = self.query(f"DESCRIBE {kind} {self.database}.{name}")[0]["body"]
                    found[name] = _words(body.replace(f"{self.database}.", f"{ddl.DATABASE}."))
        return found

    def _grants(self, role: str) -> Iterator[Grant]:
        """What the role may do in this database, on warehouses, as another role and against policies; what it owns is left out."""
        for row in self.query(f"SHOW GRANTS TO ROLE {role}"):
            kind, name = row["granted_on"].replace("_", " "), row["name"].replace('"', "")
            database, _, inside = name.partition(".")
            if kind == "ACCOUNT" and row["privilege"] in POWERS:
                yield Grant(row["privilege"], kind, "", role)
            if row["privilege"] == "OWNERSHIP" or kind not in GRANTED:
                continue
            if kind in ("WAREHOUSE", "ROLE"):
                yield Grant(row["privilege"], kind, name, role)
            elif database == self.database:
                yield Grant(row["privilege"], kind, inside, role)

    def _others(self) -> Iterator[Grant]:
        """What roles that the contract does not know may do with the schemas: without that they reach nothing in them."""
        for schema in [r["schema_name"] for r in self.query(f"SELECT SCHEMA_NAME FROM {self.database}.INFORMATION_SCHEMA.SCHEMATA")]:
            if schema in SCHEMAS:
                for row in self.query(f"SHOW GRANTS ON SCHEMA {self.database}.{schema}"):
                    if row["grantee_name"] not in access.ROLES:
                        yield Grant(row["privilege"], "SCHEMA", schema, row["grantee_name"])

    def _errors(self, table: str) -> int:
        return int(self.query(f"SELECT COUNT(*) AS N FROM ERROR_TABLE({self.database}.{table})")[0]["n"])


def same_type(wanted: str, found: str) -> bool:
    """A contract may leave a type open, and the local Snowflake does not tell the digits of a second."""
    return not wanted or wanted == found or (wanted.startswith("TIMESTAMP") and wanted.split("(")[0] == found)


def _words(text: str) -> str:
    return " ".join(text.rstrip("; \n").split())


def _name(row: Row) -> str:
    return f"{row['table_schema']}.{row['table_name']}"


def _relation(row: Row, columns: list[Column], options: Row) -> Relation:
    name, comment = _name(row), row["comment"] or ""
    if row["table_type"] == "VIEW":
        return Relation(name, VIEW, comment, tuple(replace(c, nullable=True) for c in columns))
    switches = _is_on(options.get("enable_schema_evolution")), _is_on(options.get("error_logging"))
    return Relation(name, TABLE, comment, tuple(columns), _clustering(row["clustering_key"] or ""), *switches)


def _column(row: Row) -> Column:
    named = str(row["data_type"])
    kind = TYPES.get(named, named)
    if kind == "NUMBER":
        kind = f"NUMBER({row['numeric_precision']},{row['numeric_scale']})"
    elif kind.startswith("TIMESTAMP") and row.get("datetime_precision") is not None:
        kind = f"{kind}({row['datetime_precision']})"
    return Column(row["column_name"], kind, row["is_nullable"] == "YES", row["comment"] or "")


def _clustering(text: str) -> tuple[str, ...]:
    """`LINEAR(A, B)` -> A, B."""
    inside = re.sub(r"^LINEAR\s*", "", text.strip(), flags=re.I).strip()
    bare = inside[1:-1] if inside.startswith("(") else inside
    return tuple(part.strip().strip('"').upper() for part in bare.split(",") if part.strip())


def _is_on(value: object) -> bool:
    return str(value).upper() in ("Y", "TRUE", "ON")
