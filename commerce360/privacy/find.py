"""`c360 privacy find`: every place where a text stands, asked of the stores themselves and read from their files."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from commerce360.adls import open_store
from commerce360.lake import Lake
from commerce360.reconcile import sources, topics
from commerce360.settings import Settings
from schemas.tables import FED
from schemas.topics import TOPICS
from warehouse import ddl
from warehouse.client import Client

SHOP_TABLES = ("customers", "orders", "order_items")
SHOP_COLLECTIONS = ("clickstream", "reviews")
FILES = ("run", "logs", "ledger", "reports", "data/sentiment", "data/lake-checkpoint", "data/lake-scratch")  # of the state folder
CHUNK = 1 << 22


class Finder:
    """Counts of rows, records or files by place. Raises UnavailableError when a store does not answer: not found is not looked for."""

    def __init__(self, settings: Settings, texts: Sequence[str]) -> None:
        self.settings = settings
        self.lake = Lake(settings.lake)
        spelled = {form for t in texts for form in (t, t.lower(), json.dumps(t)[1:-1])}
        self.needles = tuple({form.encode(errors="replace").lower() for form in spelled if form})

    def run(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for place in (*self._shop(), *self._kafka(), *self._lake_files(), *self._warehouse(), *self._state()):
            found[place] += 1
        return dict(found)

    def _has(self, data: bytes | None) -> bool:
        """Letters of ASCII count as equal in both cases."""
        small = b"" if data is None else data.lower()
        return any(needle in small for needle in self.needles)

    def _has_row(self, values: Iterable[Any]) -> bool:
        return any(map(self._has_value, values))

    def _has_value(self, value: Any) -> bool:
        if isinstance(value, dict):
            return self._has_row(value.values())
        if isinstance(value, list | tuple):
            return self._has_row(value)
        return value is not None and self._has(value if isinstance(value, bytes) else str(value).lower().encode(errors="replace"))

    def _shop(self) -> Iterator[str]:
        for table, rows in sources.postgres_rows(self.settings.postgres, SHOP_TABLES).items():
            yield from (f"shop: sales.{table}" for row in rows if self._has_row(row.values()))
        for collection in SHOP_COLLECTIONS:
            documents = sources.mongo_documents(self.settings.mongo, collection)
            yield from (f"shop: {collection}" for d in documents if self._has_row(d.values()))

    def _kafka(self) -> Iterator[str]:
        for record in topics.read_all(self.settings.kafka, [t.name for t in TOPICS]):
            if self._has(record.key) or self._has(record.value) or any(self._has(v) for _, v in record.headers):
                yield f"kafka: {record.topic}"

    def _lake_files(self) -> Iterator[str]:
        """All files, also those that no version of a table needs any more. Parquet is compressed, so its rows are read."""
        import obstore
        import pyarrow.parquet as pq

        store = open_store(self.settings.lake.root, self.settings.lake)
        for path in sorted(item["path"] for part in obstore.list(store) for item in part):
            folder, _, name = path.rpartition("/")
            content = bytes(obstore.get(store, path).bytes())
            if name.endswith(".parquet") and not name.startswith("."):
                for batch in pq.ParquetFile(BytesIO(content)).iter_batches():
                    yield from (f"lake: {folder}" for row in batch.to_pylist() if self._has_row(row.values()))
            if self._has(content):
                yield f"lake: {folder}"

    def _has_file(self, path: Path) -> bool:
        """A file that went while others were looked at holds nothing: processes write notes anew all the time, by way of another name."""
        left, most = b"", max(map(len, self.needles), default=1)
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            while part := file.read(CHUNK):
                if self._has(left + part):
                    return True
                left = part[-most:]
        return False

    def _warehouse(self) -> Iterator[str]:
        with Client(self.settings.warehouse) as warehouse:
            for landing in map(ddl.landing, FED):
                for place, relation in ((landing, landing), (f"rows that did not fit {landing}", f"TABLE(ERROR_TABLE({landing}))")):
                    rows = warehouse.query(f"SELECT * FROM {relation}")
                    yield from (f"warehouse: {place}" for row in rows if self._has_row(row.values()))

    def _state(self) -> Iterator[str]:
        for folder in FILES:
            for path in (self.settings.state / folder).rglob("*"):
                if path.is_file() and self._has_file(path):
                    yield f"files: {path.relative_to(self.settings.state)}"
