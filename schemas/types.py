"""One mapping from the contract's column types to Arrow, Spark and Snowflake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

SPARK = {
    "bigint": "BIGINT",
    "int": "INT",
    "string": "STRING",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "decimal(12,2)": "DECIMAL(12,2)",
    "decimal(14,2)": "DECIMAL(14,2)",
    "decimal(18,2)": "DECIMAL(18,2)",
    "decimal(6,4)": "DECIMAL(6,4)",
    "decimal(18,4)": "DECIMAL(18,4)",
    "double": "DOUBLE",
    "binary": "BINARY",
    "headers": "ARRAY<STRUCT<key: STRING, value: BINARY>>",
}
SNOWFLAKE = {
    "bigint": "NUMBER(38,0)",
    "int": "NUMBER(38,0)",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP_NTZ(6)",
    "date": "DATE",
    "decimal(12,2)": "NUMBER(12,2)",
    "decimal(14,2)": "NUMBER(14,2)",
    "decimal(18,2)": "NUMBER(18,2)",
    "decimal(6,4)": "NUMBER(6,4)",
    "decimal(18,4)": "NUMBER(18,4)",
    "double": "FLOAT",
    "binary": "BINARY",
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a contract type; timestamps are microseconds in UTC."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "bigint": pa.int64(),
        "int": pa.int32(),
        "string": pa.string(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
        "decimal(12,2)": pa.decimal128(12, 2),
        "decimal(14,2)": pa.decimal128(14, 2),
        "decimal(18,2)": pa.decimal128(18, 2),
        "decimal(6,4)": pa.decimal128(6, 4),
        "decimal(18,4)": pa.decimal128(18, 4),
        "double": pa.float64(),
        "binary": pa.binary(),
        "headers": pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())])),
    }
    return types[name]


def arrow_schema(table: Table) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(c.name, arrow_type(c.type), nullable=c.nullable) for c in table.columns])
