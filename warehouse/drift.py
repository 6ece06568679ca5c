"""Where a warehouse is not what the contract says, each difference by table and column. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from schemas.access import Grant
from schemas.landing import RAW
from warehouse.apply import Step
from warehouse.catalog import VIEW, Catalog, Column, Relation, same_type
from warehouse.generated import grant, revoke

MIGRATE = "run `c360 warehouse apply`"
REPEAT = "run `c360 warehouse apply --repeat`"
ACCOUNT = "run `c360 warehouse account --apply`"
BY_HAND = "change it back, or change schemas/ and write a migration with `c360 warehouse draft NAME`"
RETYPE = "rows would have to be loaded anew: mend it by hand, or change schemas/"
ADD = "add it to schemas/ and write a migration with `c360 warehouse draft NAME`, or drop it"


@dataclass(frozen=True)
class Drift:
    """`what` of `where` (SCHEMA.TABLE, or with .COLUMN) is `found` and not `wanted`."""

    where: str
    what: str
    wanted: str
    found: str
    hint: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        told = {"": "missing", "-": "unknown"}
        state = told["-"] if not self.wanted else told[""] if not self.found else f"{self.found}, not {self.wanted}"
        return f"{self.where}: {self.what} {state}"


def compare(wanted: Catalog, live: Catalog, database: str) -> list[Drift]:
    return [*structure(wanted, live), *_policies(wanted, live), *_grants(wanted.grants, live.grants, database), *_errors(live)]


def structure(wanted: Catalog, live: Catalog) -> Iterator[Drift]:
    """Schemas, tables, views, columns."""
    for name, comment in wanted.schemas.items():
        if name not in live.schemas:
            yield Drift(name, "schema", "there", "", MIGRATE)
        elif live.schemas[name] != comment:
            yield Drift(name, "comment", comment, live.schemas[name] or "none", BY_HAND)
    for name, relation in wanted.relations.items():
        if name in live.relations:
            yield from _relation(relation, live.relations[name])
        else:
            yield Drift(name, relation.kind.lower(), "there", "", REPEAT if relation.kind == VIEW else MIGRATE)
    for name in sorted(live.relations.keys() - wanted.relations.keys()):
        yield Drift(name, live.relations[name].kind.lower(), "", "there", ADD)


def history(steps: Iterable[Step], unknown: Iterable[str]) -> Iterator[Drift]:
    """Scripts that are not run, and scripts of the history that have no file."""
    for step in steps:
        if step.refused is not None:
            yield Drift(step.script.name, "script", "as it was run", step.why, step.refused.hint)
        elif step.why and step.why != "always":
            yield Drift(step.script.name, "script", "run", step.why, MIGRATE)
    for name in unknown:
        yield Drift(name, "script", "", "run", "this checkout is older than the warehouse, or the file was removed: bring it back")


def _relation(wanted: Relation, found: Relation) -> Iterator[Drift]:
    hint = REPEAT if wanted.kind == VIEW else BY_HAND
    pairs = (
        ("kind", wanted.kind, found.kind),
        ("comment", wanted.comment, found.comment),
        ("clustering", ", ".join(wanted.cluster_by), ", ".join(found.cluster_by)),
        ("schema evolution", _onoff(wanted.evolves), _onoff(found.evolves)),
        ("error logging", _onoff(wanted.logs_errors), _onoff(found.logs_errors)),
        ("row access policy", _bound(wanted), _bound(found)),
    )
    yield from (Drift(wanted.name, what, a or "none", b or "none", hint) for what, a, b in pairs if a != b)
    for column in wanted.columns:
        other = found.column(column.name)
        where = f"{wanted.name}.{column.name}"
        if other is None:
            yield Drift(where, "column", "there", "", hint)
        else:
            yield from _column(where, column, other, hint)
    known = {c.name for c in wanted.columns}
    for other in found.columns:
        if other.name not in known:
            yield Drift(f"{wanted.name}.{other.name}", "column", "", other.type, _extra(wanted))
    order = [c.name for c in found.columns if c.name in known]
    if wanted.kind == found.kind == VIEW and not found.query.endswith(wanted.query):
        yield Drift(wanted.name, "query", "that of schemas/", "another", REPEAT)
    if wanted.kind == VIEW and order != [c.name for c in wanted.columns if c.name in order]:
        yield Drift(wanted.name, "order of columns", "that of schemas/", "another", REPEAT)


def _policies(wanted: Catalog, live: Catalog) -> Iterator[Drift]:
    for name, body in wanted.policies.items():
        if name not in live.policies:
            yield Drift(name, "policy", "there", "", REPEAT)
        elif live.policies[name] != body:
            yield Drift(name, "body", body, live.policies[name], REPEAT)


def _column(where: str, wanted: Column, found: Column, hint: str) -> Iterator[Drift]:
    if not same_type(wanted.type, found.type):
        yield Drift(where, "type", wanted.type, found.type, RETYPE)
    pairs = (
        ("nullability", _nullable(wanted), _nullable(found)),
        ("comment", wanted.comment or "none", found.comment or "none"),
        ("masking policy", wanted.policy or "none", found.policy or "none"),
    )
    yield from (Drift(where, what, a, b, hint) for what, a, b in pairs if a != b)


def _extra(relation: Relation) -> str:
    if relation.name.startswith(f"{RAW}."):
        return f"the lake got it first, and schema evolution added it: {ADD}"
    return ADD


def _grants(wanted: frozenset[Grant], found: frozenset[Grant], database: str) -> Iterator[Drift]:
    for one in sorted(wanted - found, key=str):
        hint = ACCOUNT if one.kind == "WAREHOUSE" else grant(one).replace("{{ database }}", database)
        yield Drift(_on(one), f"{one.privilege} of {one.role}", "granted", "", hint)
    for one in sorted(found - wanted, key=str):
        owned = one.privilege == "OWNERSHIP"
        yield Drift(_on(one), f"{one.privilege} of {one.role}", "", "granted", ACCOUNT if owned else revoke(one, database))


def _on(one: Grant) -> str:
    return one.name or f"the {one.kind.lower()}"


def _errors(live: Catalog) -> Iterator[Drift]:
    for name, count in live.errors.items():
        yield Drift(name, "error table", "empty", f"{count} rows", f"look at them with SELECT * FROM ERROR_TABLE({name})")


def _bound(view: Relation) -> str:
    column, policy = view.row_policy
    return f"{policy} by {column}" if policy else ""


def _onoff(value: bool) -> str:
    return "on" if value else "off"


def _nullable(column: Column) -> str:
    return "nullable" if column.nullable else "not nullable"
