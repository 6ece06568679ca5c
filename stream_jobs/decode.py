"""Registry wire format to columns inside the JVM, for the topics whose records never need to reach the driver.

Same meaning as `stream_jobs.wire`, same words for what is wrong. Spark's `from_avro` neither reports bad bytes nor notices bytes
that are left over: with PERMISSIVE it returns a struct of NULLs. So every payload gets eight known bytes behind it, and the
writer's schema a last field that reads them: only a payload that fits exactly leaves them where they must be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SEAL = bytes.fromhex("c360a1f05e9d2b77")
SEAL_FIELD = "c360_seal"
HEADER_BYTES = 5  # magic byte 0, then the schema id, four bytes big-endian

Schema = Mapping[str, Any]


def sql_text(value: str) -> str:
    """A SQL string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def schema_id(value: str = "value") -> str:
    """SQL of the schema id; NULL when the value is too short."""
    return f"CAST(conv(hex(substring({value}, 2, 4)), 16, 10) AS BIGINT)"


def sealed(writer: Schema) -> dict[str, Any]:
    """The writer's schema with the seal as its last field."""
    seal = {"name": SEAL_FIELD, "type": {"type": "fixed", "name": SEAL_FIELD, "size": len(SEAL)}}
    return {**writer, "fields": [*writer["fields"], seal]}


def reader(writer: Schema, fields: Iterable[str]) -> dict[str, Any]:
    """What we read: optional strings and the seal, under the writer's own name (Avro resolves records by name)."""
    wanted: list[dict[str, Any]] = [{"name": f, "type": ["null", "string"], "default": None} for f in fields]
    named = {k: writer[k] for k in ("name", "namespace") if k in writer}
    return sealed({"type": "record", **named, "fields": wanted})


def avro_struct(known: Mapping[int, Schema], fields: Sequence[str], sid: str = "sid", value: str = "value") -> str:
    """SQL of a struct of `fields` and the seal: one branch for each schema id, every branch of the same type."""
    columns = ", ".join([*(f"{f}: STRING" for f in fields), f"{SEAL_FIELD}: BINARY"])
    payload = f"concat(substring({value}, {HEADER_BYTES + 1}), X'{SEAL.hex()}')"
    branches = [
        f"WHEN {sid} = {number} THEN from_avro({payload}, {sql_text(json.dumps(sealed(writer)))}, "
        f"map('mode', 'PERMISSIVE', 'avroSchema', {sql_text(json.dumps(reader(writer, fields)))}))"
        for number, writer in sorted(known.items())
        if writer.get("type") == "record"
    ]
    nothing = f"CAST(NULL AS STRUCT<{columns}>)"
    return f"CASE {' '.join(branches)} ELSE {nothing} END" if branches else nothing


def reason(known: Iterable[int], struct: str, fields: Sequence[str], sid: str = "sid", value: str = "value") -> str:
    """SQL of why a record cannot be used; NULL when it can, or when it is a tombstone.

    Avro hands on texts that are not UTF-8, which Arrow's readers refuse: a record with one among its `fields` is bad.
    """
    ids = ", ".join(str(i) for i in sorted(known)) or "NULL"
    texts = "".join(f" AND coalesce(is_valid_utf8({struct}.{f}), true)" for f in fields)
    return (
        f"CASE WHEN {value} IS NULL THEN NULL "
        f"WHEN length({value}) < {HEADER_BYTES} OR substring({value}, 1, 1) <> X'00' THEN 'bad_magic' "
        f"WHEN NOT coalesce({sid} IN ({ids}), false) THEN 'unknown_schema' "
        f"WHEN NOT coalesce({struct}.{SEAL_FIELD} = X'{SEAL.hex()}'{texts}, false) THEN 'undecodable' END"
    )
