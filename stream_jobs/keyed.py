"""The newest rows of each key on the driver, and what a batch changes in them.

Rows that a batch makes are seen by later batches only after `commit`; `discard` forgets everything, for the time after an error, when
nobody knows what was written: the log is filled from its table again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.tables import LINEAGE_NAMES, Table
from stream_jobs.entity import Contribution, Entity, Key, Rejection, Row
from stream_jobs.rowstore import RowStore

Rows = Iterable[tuple[Key, Row]]
Place = tuple[object, ...]


@dataclass
class Outcome:
    """Rows that differ from the stored ones (without `batch_id`), and contributions that cannot count.

    `before` and `after`: all rows of the keys that changed, as the table had them and as it has them with this batch.
    """

    rows: list[Row] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    before: dict[Key, list[Row]] = field(default_factory=dict)
    after: dict[Key, list[Row]] = field(default_factory=dict)


class KeyedLog:
    """An entity's newest rows. `load` reads all of them from the table: at the start, and after `discard`."""

    def __init__(self, entity: Entity, load: Callable[[], Rows]) -> None:
        self.entity = entity
        self.load = load
        self.carried: dict[Place, Row] = {}  # rows that the table must still get, whatever the next batch says
        self._store: RowStore | None = None
        self._said: tuple[Table, Callable[[Row], tuple[object, ...]]] | None = None
        self._replaced: dict[Key, list[Row]] = {}  # keys that `rebase` changed, with the rows of before
        self._staged: dict[Key, list[Row]] = {}
        self._changed: list[tuple[Key, Row]] = []  # of the staged rows, those that the store does not have

    @property
    def store(self) -> RowStore:
        if self._store is None:
            self._store = RowStore(self.entity.table.key)
            self._store.put(self.load())
        return self._store

    def look(self, rows: Mapping[Key, Sequence[Row]]) -> None:
        """Take these as all that the table has of the keys: for when somebody else changed it. Rows that it must still get stay known."""
        for key, there in rows.items():
            self.store.replace(key, [*there, *(r for r in self.carried.values() if self.entity.key_of(r) == key)])

    def apply(self, contributions: Iterable[Contribution], looked: Iterable[Key] = ()) -> Outcome:
        """Fold the contributions of one batch. A repetition of what is stored gives no rows. `looked`: keys to be folded in any case.

        What is said of all keys is folded first: when that changes something, every key is folded again.
        """
        new: dict[Key, list[Contribution]] = {key: [] for key in looked}
        for found in contributions:
            new.setdefault(found.key, []).append(found)
        outcome = Outcome()
        for key in [k for k in new if self.entity.shared(k) == k]:
            self._fold(key, new.pop(key), (), outcome)
        for key in self._sharing(set(outcome.after)):
            new.setdefault(key, [])
        for key, mine in new.items():
            shared = self.entity.shared(key)
            self._fold(key, mine, () if shared is None else self.rows(shared), outcome)
        if self.carried:
            made = {self.place(r): r for r in outcome.rows}
            outcome.rows = list({**self.carried, **made}.values())
        for key, rows in self._replaced.items():
            outcome.before[key] = rows
            outcome.after.setdefault(key, self.rows(key))
        return outcome

    def rows(self, key: Key) -> list[Row]:
        """All newest rows of the key, those of the present batch too."""
        found = self._staged.get(key)
        return self.store.get(key) if found is None else found

    def rebase(self, rows: Rows) -> list[Row]:
        """Take these as what the log should hold. Returns those that differ; the next batch writes them with its own."""
        content = self._content()
        for key, row in rows:
            stored = {self.place(r): content(r) for r in self.store.get(key)}
            if stored.get(self.place(row)) != content(row):
                self.carried[self.place(row)] = row
                if key not in self._replaced:
                    self._replaced[key] = self.store.get(key)
                self.store.put([(key, row)])
        return list(self.carried.values())

    def commit(self) -> None:
        """What the batch made is written: let later batches see it."""
        self.store.put(self._changed)
        self._staged, self._changed = {}, []
        self._replaced = {}
        self.carried = {}

    def discard(self) -> None:
        self._staged, self._changed = {}, []
        self._store = None

    def _fold(self, key: Key, new: list[Contribution], shared: Iterable[Row], outcome: Outcome) -> None:
        stored = self.rows(key)
        rows, rejections = self.entity.fold(key, [*shared, *stored], new)
        outcome.rejections.extend(rejections)
        content = self._content()
        before = {self.place(r): content(r) for r in stored}
        changed = [r for r in rows if before.get(self.place(r)) != content(r)]
        if changed:
            self._staged[key] = rows
            self._changed += [(key, r) for r in changed]
            outcome.rows.extend(changed)
            outcome.before[key], outcome.after[key] = stored, rows

    def _sharing(self, changed: set[Key]) -> list[Key]:
        """Known keys for which something changed that is said of all keys like them."""
        return [k for k in self.store if k not in changed and self.entity.shared(k) in changed] if changed else []

    def _content(self) -> Callable[[Row], tuple[object, ...]]:
        """What a row says, without where it came from; a column that came later is NULL in older rows."""
        table = self.entity.table
        if self._said is None or self._said[0] is not table:
            names = tuple(c.name for c in table.columns if c.name not in LINEAGE_NAMES)
            self._said = table, lambda row: tuple(map(row.get, names))
        return self._said[1]

    def place(self, row: Row) -> Place:
        return tuple(row[n] for n in self.entity.table.key)
