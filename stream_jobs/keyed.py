"""The newest rows of each key on the driver, and what a batch changes in them.

Rows that a batch makes are seen by later batches only after `commit`; `discard` forgets everything, for the time after an error, when
nobody knows what was written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.tables import LINEAGE_NAMES
from stream_jobs.entity import Contribution, Entity, Key, Rejection, Row

Load = Callable[[list[Key]], dict[Key, list[Row]]]


@dataclass(frozen=True)
class Outcome:
    """Rows that differ from the stored ones (without `batch_id`), and contributions that cannot count."""

    rows: list[Row] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


class KeyedLog:
    """Cache of an entity's newest rows. `load` reads rows of keys that are not in it.

    `complete`: every key that the table has is in the cache (true for an empty table), so an unknown key need not be looked up;
    that ends when the cache drops its first key.
    """

    def __init__(self, entity: Entity, load: Load, complete: bool = False, max_keys: int = 500_000) -> None:
        self.entity = entity
        self.load = load
        self.complete = complete
        self.max_keys = max_keys
        self.cache: OrderedDict[Key, list[Row]] = OrderedDict()
        self.staged: dict[Key, list[Row]] = {}

    def apply(self, contributions: Iterable[Contribution]) -> Outcome:
        """Fold the contributions of one batch. A repetition of what is stored gives no rows."""
        new: dict[Key, list[Contribution]] = {}
        for found in contributions:
            new.setdefault(found.key, []).append(found)
        known = self._known(list(new))
        outcome = Outcome()
        for key, mine in new.items():
            stored = known.get(key, [])
            rows, rejections = self.entity.fold(key, stored, mine)
            self.staged[key] = rows
            outcome.rejections.extend(rejections)
            outcome.rows.extend(self._changed(stored, rows))
        return outcome

    def fill(self, rows: dict[Key, list[Row]]) -> None:
        """Start with all rows of the table; a later unknown key is then a new one."""
        self.cache = OrderedDict(rows)
        self.complete = True
        self._trim()

    def commit(self) -> None:
        """What the batch made is written: let later batches see it."""
        for key, rows in self.staged.items():
            self.cache[key] = rows
            self.cache.move_to_end(key)
        self.staged = {}
        self._trim()

    def discard(self) -> None:
        self.staged = {}
        self.cache.clear()
        self.complete = False

    def _known(self, keys: list[Key]) -> dict[Key, list[Row]]:
        """A batch is applied once; a key that is staged already belongs to a batch that was neither committed nor discarded."""
        missing = [] if self.complete else [k for k in keys if k not in self.cache and k not in self.staged]
        loaded = self.load(missing) if missing else {}
        return {k: self.staged.get(k) or self.cache.get(k) or loaded.get(k, []) for k in keys}

    def _changed(self, stored: list[Row], rows: list[Row]) -> list[Row]:
        names = self.entity.table.key
        before = {tuple(r[n] for n in names): _content(r) for r in stored}
        return [r for r in rows if before.get(tuple(r[n] for n in names)) != _content(r)]

    def _trim(self) -> None:
        while len(self.cache) > self.max_keys:
            self.cache.popitem(last=False)
            self.complete = False


def _content(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in LINEAGE_NAMES}
