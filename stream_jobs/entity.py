"""The seam between a keyed table's meaning and the job that runs it.

An entity knows how to read a decoded record and how to fold all that is known of one key; it does no I/O and knows no
clock. The job owns tables, batches and crashes. Whatever the order, repetition or cut into batches of the records, the rows
of a key depend only on the set of contributions (set union), so a replayed batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from schemas.tables import Table

Row = dict[str, Any]  # column -> value; timestamps are aware UTC datetimes, decimals Decimal
Key = tuple[Any, ...]


class Record(NamedTuple):
    """One Kafka record as received. `timestamp_us` is epoch microseconds (Kafka itself keeps milliseconds)."""

    topic: str
    partition: int
    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def origin(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class RejectedError(Exception):
    """This record cannot be used. `reason` is one of the fixed words, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one record says about one key. `payload` is the entity's own."""

    key: Key
    payload: Any
    record: Record


@dataclass(frozen=True, slots=True)
class Rejection:
    record: Record
    reason: str
    detail: str = ""


class Entity(Protocol):
    table: Table
    topics: frozenset[str]

    def read(self, record: Record, key: dict[str, Any] | None, value: dict[str, Any] | None) -> list[Contribution]:
        """What the decoded record says; [] when it says nothing (a tombstone). Raises RejectedError."""
        ...

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        """All log rows of `key` (without `batch_id`) once `new` is united with `stored`, and the contributions that lost.

        Pure. `stored` are the newest log rows of the key, one per `table.key`, and of `shared(key)`. Lineage columns of a row come from the
        contribution that the row stands for.
        """
        ...

    def key_of(self, row: Row) -> Key:
        """The entity key (for a dimension without the sequence) of a log row."""
        ...

    def shared(self, key: Key) -> Key | None:
        """The key whose rows count for this key as well: a truncate is said of all keys. It names itself; None: there is no such."""
        ...

    def over(self, table: Table) -> Entity:
        """The same entity over a table that has more columns than its contract. Entities that take no new columns return themselves."""
        ...


def read_record(entity: Entity, record: Record, key: Row | None, value: Row | None) -> list[Contribution]:
    """Bytes can fit the schema that they name, and that schema not the topic: such a record is rejected like any other bad one."""
    try:
        return entity.read(record, key, value)
    except RejectedError:
        raise
    except Exception as error:  # whatever the reader stumbles over
        raise RejectedError("undecodable", f"the value is none of {record.topic}: {type(error).__name__}: {error}") from error
