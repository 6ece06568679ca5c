"""Lake rows as the SDK takes them: built by columns, because a loader that looks at every value is many times slower than the SDK."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def sent(found: pa.Table) -> list[Any]:
    """One object a row that the SDK writes as JSON: upper-case names, decimals as exact text, times as UTC without a zone.

    They are not dicts: the SDK (1.9.1) encodes rows with msgspec, which takes its own structs at twice the speed and writes the same.
    """
    made = _row_of(tuple(found.column_names))
    return [made(*values) for values in zip(*(_values(column.combine_chunks()) for column in found.columns), strict=True)]


@lru_cache(maxsize=256)
def _row_of(names: tuple[str, ...]) -> Any:
    """A source may call a column whatever it likes, so the fields have names of ours."""
    import msgspec

    fields = [(f"f{n}", object) for n in range(len(names))]
    return msgspec.defstruct("Row", fields, rename={f"f{n}": name.upper() for n, name in enumerate(names)}, gc=False)


def _values(column: pa.Array) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us")).cast(pa.string())
    elif pa.types.is_decimal(kind) or pa.types.is_date(kind):
        column = column.cast(pa.string())
    elif column.null_count and pa.types.is_integer(kind):  # NumPy has no NULL for integers, and would make floats of them
        values: list[Any] = column.fill_null(0).to_numpy().tolist()
        for place in pc.indices_nonzero(column.is_null()).to_numpy().tolist():
            values[place] = None
        return values
    elif column.null_count and pa.types.is_floating(kind):
        return list(column.to_pylist())
    return list(column.to_numpy(zero_copy_only=False).tolist())
