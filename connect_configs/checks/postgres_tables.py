"""What the catalogue of PostgreSQL says of tables, for those who capture them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connect_configs.sources import Table

if TYPE_CHECKING:
    import psycopg

FACTS = """
SELECT n.nspname, c.relname, c.relkind,
       -- of a partitioned table, the worst of its partitions: theirs count, not its own
       coalesce((SELECT leaf.relreplident FROM pg_partition_tree(c.oid) t JOIN pg_class leaf ON leaf.oid = t.relid
                  WHERE t.isleaf AND leaf.relkind = 'r' ORDER BY strpos('ndif', leaf.relreplident::text) LIMIT 1), c.relreplident),
       coalesce((SELECT CASE WHEN k.condeferrable THEN 'deferrable' ELSE 'plain' END
                   FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), ''),
       has_schema_privilege(n.oid, 'USAGE'),
       ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE has_table_privilege(c.oid, p)),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN unnest(%s::text[], %s::text[]) wanted (schema, name) ON wanted.schema = n.nspname AND wanted.name = c.relname
"""
# A partition counts as its root: the include lists name roots.
PUBLISHED = """
SELECT DISTINCT n.nspname, root.relname
  FROM pg_publication_tables p
  JOIN pg_namespace pn ON pn.nspname = p.schemaname
  JOIN pg_class c ON c.relnamespace = pn.oid AND c.relname = p.tablename
  JOIN pg_class root ON root.oid = coalesce(pg_partition_root(c.oid), c.oid)
  JOIN pg_namespace n ON n.oid = root.relnamespace
 WHERE p.pubname = %(publication)s
UNION
SELECT n.nspname, c.relname
  FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
  JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname = %(publication)s
"""


@dataclass(frozen=True)
class TableFacts:
    """`kind`: r or p (partitioned). `identity`: d default, n nothing, f full, i index. `key`: plain, deferrable, or empty without one.
    `rights` are those of the connected role."""

    table: Table
    kind: str
    identity: str
    key: str
    may_use: bool
    rights: frozenset[str]
    columns: frozenset[str]

    @property
    def may_select(self) -> bool:
        return self.may("SELECT")

    @property
    def may_insert(self) -> bool:
        return self.may("INSERT")

    def may(self, privilege: str) -> bool:
        return privilege in self.rights


def facts_of(connection: psycopg.Connection[Any], tables: Iterable[Table]) -> dict[Table, TableFacts]:
    """Of those that exist."""
    wanted = sorted(set(tables))
    rows = connection.execute(FACTS, ([t[0] for t in wanted], [t[1] for t in wanted])).fetchall()
    made = [TableFacts((s, n), _text(k), _text(i), key, use, frozenset(may), frozenset(cols)) for s, n, k, i, key, use, may, cols in rows]
    return {facts.table: facts for facts in made}


def published_tables(connection: psycopg.Connection[Any], publication: str) -> frozenset[Table]:
    return frozenset((str(schema), str(name)) for schema, name in connection.execute(PUBLISHED, {"publication": publication}).fetchall())


def partitions(connection: psycopg.Connection[Any]) -> list[Table]:
    """Tables that are part of another one."""
    return connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND c.relispartition"
    ).fetchall()


def leaves_of(connection: psycopg.Connection[Any], table: Table) -> list[Table]:
    """Partitions that hold the rows of a partitioned table."""
    return connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class root JOIN pg_namespace rn ON rn.oid = root.relnamespace"
        " CROSS JOIN pg_partition_tree(root.oid) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE rn.nspname = %s AND root.relname = %s AND t.isleaf AND c.relkind = 'r'",
        table,
    ).fetchall()


def _text(letter: bytes | str) -> str:
    """PostgreSQL's one-letter type comes as bytes."""
    return letter.decode() if isinstance(letter, bytes) else letter
