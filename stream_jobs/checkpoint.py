"""What Spark's checkpoint says: the query's identity, which batch was planned over which offsets, which are finished.

Layout of a Structured Streaming checkpoint (Spark 4.1.1): `metadata` holds the id, `offsets/<batch>` is written before a batch
runs, `commits/<batch>` after it. An offset file has a version line, a line of metadata, and one line of JSON for each source.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

import obstore
from obstore.exceptions import AlreadyExistsError

from commerce360.adls import open_store
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BACKFILLS, BATCHES, RECORDS, TABLES, Table
from stream_jobs import calendar

Offsets = dict[str, dict[int, int]]  # topic -> partition -> offset after the last record
REMADE = frozenset({BACKFILLS.name, *(t.name for t in calendar.TABLES)})  # they follow from no topic
START_OVER = "the two belong together: restore the missing one, or delete both to read all topics again"


class Checkpoint:
    """A checkpoint on a path, or on ADLS."""

    def __init__(self, settings: LakeSettings) -> None:
        self.root = settings.checkpoint
        self._store = open_store(settings.checkpoint, settings)

    def query_id(self) -> str | None:
        """None before the first start."""
        found = self._read("metadata")
        return None if found is None else str(json.loads(found)["id"])

    def create(self) -> str:
        """Give the query its id before Spark would, so that tables can be stamped with it from the first commit on."""
        found = self.query_id()
        if found is None:
            found = str(uuid.uuid4())
            try:
                obstore.put(self._store, "metadata", json.dumps({"id": found}).encode(), mode="create")
            except AlreadyExistsError:  # somebody else began in this moment: there is one query
                return self.create()
        return found

    def completed(self) -> int:
        """The last batch that Spark knows to be finished; -1 for none."""
        names = (item["path"].rpartition("/")[2] for item in obstore.list_with_delimiter(self._store, "commits")["objects"])
        return max((int(name) for name in names if name.isdigit()), default=-1)

    def ends(self, batch_id: int) -> Offsets:
        """Where the batch ends in each partition; transaction markers count as offsets. Empty for a batch never planned."""
        found = self._read(f"offsets/{batch_id}")
        return {} if found is None else offsets(found.splitlines()[2])

    def _read(self, name: str) -> str | None:
        try:
            return bytes(obstore.get(self._store, name).bytes()).decode()
        except FileNotFoundError:
            return None


def _is_new(lake: Lake, name: str) -> bool:
    last = lake.last_batch()
    return name in REMADE and last is not None and name not in json.loads(last["versions"])


def offsets(text: str) -> Offsets:
    return {topic: {int(p): int(o) for p, o in parts.items()} for topic, parts in json.loads(text).items()}


def ensure_agreement(lake: Lake, checkpoint: Checkpoint, tables: Sequence[Table] = TABLES) -> None:
    """Refuse a checkpoint and tables that do not belong together: a batch would be lost or written twice.

    A table of the calendar or of backfills that the last batch did not know is no lost one: it came with a newer version, and is made anew.
    Raises ConfigError when one of them was deleted, restored from an older copy, or belongs to another query.
    """
    query, done = checkpoint.query_id(), checkpoint.completed()
    missing = [t.name for t in tables if not lake.exists(t)]
    lost = missing if BATCHES.name in missing else [name for name in missing if not _is_new(lake, name)]
    if done >= 0 and lost:
        raise ConfigError(f"the lake lost {', '.join(lost)}, but the checkpoint {checkpoint.root} is at batch {done}", START_OVER)
    if query is None:
        held = [t.name for t in (RECORDS, BATCHES) if t.name not in missing and lake.delta(t).version() > 0]
        if held:
            raise ConfigError(f"{', '.join(held)} hold rows, but their checkpoint {checkpoint.root} is gone", START_OVER)
        return
    last = None if BATCHES.name in missing else lake.last_batch()
    seen = -1 if last is None else int(last["batch_id"])
    if last is not None and last["query_id"] != query:
        raise ConfigError(f"the lake was written by query {last['query_id']}, the checkpoint {checkpoint.root} is of {query}", START_OVER)
    if last is not None and checkpoint.ends(seen) != offsets(last["offsets"]):  # planned again, it would have other records
        raise ConfigError(f"the checkpoint {checkpoint.root} has batch {seen} of the lake at other offsets", START_OVER)
    if not done <= seen <= done + 1:
        raise ConfigError(f"the lake is at batch {seen}, but the checkpoint {checkpoint.root} at {done}", START_OVER)
