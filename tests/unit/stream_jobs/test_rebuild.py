"""A history folded again from bronze: as the live one, unless somebody touched that one or the roles changed."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fastavro
import pytest

from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.roles import settings
from schemas.tables import DEAD_LETTERS, DIM_CUSTOMER, RECORDS
from schemas.topics import CUSTOMERS
from stream_jobs.batch import dead_letters
from stream_jobs.dimensions import WITHDRAWN, Dimension
from stream_jobs.entity import Record, Row
from stream_jobs.folds import Folds
from stream_jobs.rebuild import Difference, agree, approve, compare, keep, rebase, refold, settle
from stream_jobs.scd2.roles import ConfigDriftError, Roles
from stream_jobs.values import timestamp
from stream_jobs.wire import Decoder

T0 = 1_770_000_000_000_000
ROLES = settings("dim_customer")
COLUMNS = {"email": "string", "city": "string", "tier": "string", "points": "long"}
NEW_COLUMNS = {"nickname": "string", "shoe_size": "long"}


def record_of(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def envelope_of(columns: dict[str, str]) -> dict[str, Any]:
    row = record_of("Row", {"customer_id": "long", **{c: ["null", t] for c, t in columns.items()}})
    source = record_of("Source", {"sequence": "string", "lsn": "long", "ts_us": "long"})
    return record_of("Envelope", {"op": "string", "after": ["null", row], "source": source})


KEY, OLD, NEW = 1, 2, 3
SCHEMAS = {KEY: record_of("Key", {"customer_id": "long"}), OLD: envelope_of(COLUMNS), NEW: envelope_of({**COLUMNS, **NEW_COLUMNS})}


def framed(schema_id: int, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(SCHEMAS[schema_id])), value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def change(lsn: int, op: str, customer_id: int = 7, schema_id: int = OLD, **values: Any) -> tuple[bytes | None, bytes | None]:
    """Key and value of a record."""
    image = {"customer_id": customer_id, **dict.fromkeys({**COLUMNS, **NEW_COLUMNS}), **values}
    source = {"sequence": f'["{lsn - 8}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn}
    key = None if op == "t" else framed(KEY, {"customer_id": customer_id})
    return key, framed(schema_id, {"op": op, "after": None if op in "dt" else image, "source": source})


Sent = tuple[bytes | None, bytes | None]


class Job:
    """What the lake job does with its records of customers, from one start to the next."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(LakeSettings(root=str(root)))
        for table in (RECORDS, DEAD_LETTERS, DIM_CUSTOMER):
            self.lake.create(table)
        self.batch_id = self.offset = -1
        self.start()

    def start(self, **roles: Any) -> None:
        """Raises ConfigDriftError for roles that nobody approved."""
        self.dimension = Dimension(DIM_CUSTOMER, [CUSTOMERS.name], Roles.of({**ROLES, **roles}))
        self.rebuilds = agree(self.lake, self.dimension)
        self.folds = Folds(self.lake, SCHEMAS.get, [self.dimension])
        if self.rebuilds:
            [mine] = self.folds.entities
            assert isinstance(mine, Dimension)
            rebase(self.lake, self.folds, mine)

    def batch(self, *sent: Sent, crashes: bool = False) -> list[Row]:
        """Returns the rows that it wrote. `crashes`: in front of the mark that it is complete."""
        self.batch_id += 1
        records = []
        for key, value in sent:
            self.offset += 1
            records.append(Record(CUSTOMERS.name, 0, self.offset, T0 + self.offset * 1000, key, value))
        received = [{**r._asdict(), "kafka_ts": timestamp(r.timestamp_us), "headers": [], "batch_id": self.batch_id} for r in records]
        self._write(RECORDS, [{c.name: row[c.name] for c in RECORDS.columns} for row in received])
        folded = self.folds.apply(records)
        self._write(DEAD_LETTERS, dead_letters(folded.rejections, self.batch_id))
        written: list[Row] = []
        for table, rows in folded.rows.items():
            self._write(table, [{**row, "batch_id": self.batch_id} for row in rows])
            written += rows
        if not crashes:
            self.folds.commit()
            if self.rebuilds:
                settle(self.lake, self.dimension)
                self.rebuilds = False
        return written

    def swap(self, **roles: Any) -> Difference:
        """As `c360 scd2 rebuild --swap` under these roles. Returns how the log differed."""
        dimension, made = self.refolded(**roles)
        keep(self.lake, dimension, made, self.batch_id)
        approve(self.lake, dimension)
        return compare(self.lake, dimension, made)

    def refolded(self, **roles: Any) -> Any:
        plain = Dimension(DIM_CUSTOMER, [CUSTOMERS.name], Roles.of({**ROLES, **roles}))
        dimension = plain.extended(self.lake.extended(DIM_CUSTOMER))
        made, self.rejections = refold(self.lake, dimension, Decoder(SCHEMAS.get))
        return dimension, made

    def difference(self, **roles: Any) -> Difference:
        return compare(self.lake, *self.refolded(**roles))

    def rows(self, where: str = "") -> list[Row]:
        return self.lake.newest(self.lake.extended(DIM_CUSTOMER), where=where).to_pylist()

    def versions(self, customer_id: int = 7) -> list[Row]:
        return sorted(self.rows(f"is_visible AND customer_id = {customer_id}"), key=lambda r: r["valid_from"])

    def _write(self, table: Any, rows: Sequence[Row]) -> None:
        if rows:
            self.lake.append(table, rows, "q", self.batch_id)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Late, repeated, conflicting and useless records, deletes, a truncate and two new columns, in several batches."""
    made = Job(tmp_path)
    made.batch(change(10, "c", city="Oslo", tier="gold", points=1), change(40, "u", city="Rome", points=4), (None, b"garbage"))
    made.batch(change(20, "u", city="Lima", points=2), change(40, "u", city="Rome", points=4), change(15, "c", 8, city="Bern"))
    made.batch(change(30, "d"), change(20, "u", city="Lund", points=2), change(50, "t"))
    made.batch(change(60, "u", schema_id=NEW, city="Rome", points=5, nickname="ada", shoe_size=41), change(70, "u", city="Rome", points=9))
    made.batch(change(80, "d", 8), change(75, "u", 9, schema_id=NEW, nickname="bob"))
    return made


def content(rows: Iterable[Row]) -> Counter[str]:
    lineage = ("event_ts", "kafka_ts", "origin", "batch_id")
    return Counter(
        json.dumps({k: v for k, v in r.items() if k not in lineage and v is not None}, sort_keys=True, default=str) for r in rows
    )


def test_what_was_received_folds_to_the_live_log(job: Job) -> None:
    found = job.difference()
    assert (found.equal, found.kinds["equal"], found.examples) == (True, len(job.rows()), [])
    letters = job.lake.newest(DEAD_LETTERS).to_pylist()
    assert Counter(r["reason"] for r in letters) == {"bad_magic": 1, "seq_conflict": 1, "truncate_refused": 1}
    assert {(r.record.offset, r.reason, r.detail) for r in job.rejections} == {(r["offset"], r["reason"], r["detail"]) for r in letters}


def test_only_batches_up_to_the_asked_one_count(job: Job) -> None:
    before = job.batch_id
    dimension, _ = job.refolded()
    job.batch(change(90, "u", city="Nice"))
    made, _ = refold(job.lake, dimension, Decoder(SCHEMAS.get), before)
    assert compare(job.lake, dimension, made, before).equal
    assert compare(job.lake, dimension, made).kinds["extra"] == 1


def test_a_forged_row_is_named(job: Job) -> None:
    row = job.versions()[-1]
    job.lake.append(job.lake.extended(DIM_CUSTOMER), [{**row, "tier": "vip", "shoe_size": 99, "batch_id": 1000}], "by hand", -1)
    found = job.difference()
    assert {k: n for k, n in found.kinds.items() if k != "equal"} == {"changed": 1, "missing": 0, "extra": 0}
    [example] = found.examples
    assert (example["kind"], example["row"]["seq_pos"]) == ("changed", row["seq_pos"])
    assert example["columns"] == {"tier": ("vip", row["tier"]), "shoe_size": (99, row["shoe_size"])}


def test_a_deleted_row_is_named(job: Job) -> None:
    job.lake.delta(DIM_CUSTOMER).delete("customer_id = 7 AND seq_pos = 40")
    found = job.difference()
    assert not found.equal
    assert [(e["kind"], e["row"]["customer_id"], e["row"]["seq_pos"]) for e in found.examples] == [("missing", 7, 40)]


@pytest.mark.parametrize("customer_id", [7, 1234])
def test_an_invented_row_is_named(job: Job, customer_id: int) -> None:
    invented = {**job.versions()[0], "customer_id": customer_id, "seq_pos": 11, "batch_id": 1000}
    job.lake.append(job.lake.extended(DIM_CUSTOMER), [invented], "by hand", -1)
    found = job.difference()
    assert not found.equal
    assert [(e["kind"], e["row"]["customer_id"], e["row"]["seq_pos"]) for e in found.examples] == [("extra", customer_id, 11)]


def test_a_damaged_log_is_repaired_by_the_next_batch_under_the_same_roles(job: Job) -> None:
    whole = content(job.rows())
    table = job.lake.extended(DIM_CUSTOMER)
    job.lake.delta(DIM_CUSTOMER).delete("customer_id = 7 AND seq_pos = 40")
    forged = {**job.versions()[-1], "tier": "vip", "batch_id": job.batch_id}
    invented = {**forged, "seq_pos": 11, "is_current": False}
    job.lake.append(table, [invented], "by hand", -1)
    job.lake.delta(DIM_CUSTOMER).delete(f"customer_id = 7 AND seq_pos = {forged['seq_pos']}")
    job.lake.append(table, [forged], "by hand", -1)
    assert {k: n for k, n in job.swap().kinds.items() if k != "equal"} == {"changed": 1, "missing": 1, "extra": 1}
    job.start()
    assert len(job.batch()) == 3
    assert job.difference().equal
    assert content(job.rows(f"op <> '{WITHDRAWN}'")) == whole


def test_changed_roles_are_refused_until_they_are_approved(job: Job) -> None:
    with pytest.raises(ConfigDriftError) as caught:
        job.start(delete="ignore", ignore_null=["city"])
    said = caught.value
    assert (said.code, said.exit_code) == ("config_drift", 2)
    for words in ("config_drift", "dim_customer", "delete was close, is ignore", "ignore_null was [], is [city]"):
        assert words in said.message
    assert "c360 scd2 rebuild --table dim_customer --swap" in said.hint
    job.swap(delete="ignore")
    with pytest.raises(ConfigDriftError):
        job.start(delete="mark")  # another one was approved
    job.start()  # the old ones still are those of the table
    assert not job.rebuilds


CHANGED: list[dict[str, Any]] = [
    {"delete": "ignore"},
    {"delete": "mark"},
    {"truncate": "close"},
    {"delete": "mark", "truncate": "close"},
    {"new_columns": "tracked"},
    {"new_columns": "ignored"},
    {"new_columns": "refuse"},
    {"tracked": [*ROLES["tracked"], "points"], "in_place": ["last_login_at"]},
    {"ignore_null": ["tier", "points"], "delete": "ignore", "truncate": "ignore"},
]


@pytest.mark.parametrize("roles", CHANGED, ids=str)
def test_approved_roles_reach_the_log_with_the_next_batch_and_no_row_more(job: Job, roles: dict[str, Any]) -> None:
    differs = {k: n for k, n in job.swap(**roles).kinds.items() if k != "equal"}
    old = content(job.rows())
    job.start(**roles)
    assert content(job.rows()) == old  # readers see the old log until then
    written = job.batch()
    assert len(written) == sum(differs.values()) > 0
    assert job.difference(**roles).equal
    job.start(**roles)
    assert not job.rebuilds
    assert job.batch() == []
    with pytest.raises(ConfigDriftError):
        job.start()
    job.swap()
    job.start()
    job.batch()
    assert content(job.rows(f"op <> '{WITHDRAWN}'")) == old  # and the way back


@pytest.mark.parametrize("roles", CHANGED[:4], ids=str)
def test_a_crash_before_the_rebuild_is_complete_changes_nothing(job: Job, roles: dict[str, Any]) -> None:
    expected = sum(n for k, n in job.swap(**roles).kinds.items() if k != "equal")
    job.start(**roles)  # and it dies before its first batch
    job.start(**roles)
    assert len(job.batch(crashes=True)) == expected  # all is written, but the batch is not complete
    job.start(**roles)
    assert job.rebuilds
    assert job.batch() == []
    assert job.difference(**roles).equal
    job.start(**roles)
    assert not job.rebuilds


def test_records_of_the_first_batch_are_folded_with_the_new_roles(job: Job) -> None:
    job.swap(delete="ignore")
    job.start(delete="ignore")
    job.batch(change(90, "d"), change(35, "u", city="Bonn"), change(35, "u", city="Bonn"))
    assert job.difference(delete="ignore").equal
    assert [(v["city"], v["closed_by"]) for v in job.versions()] == [
        ("Oslo", "change"),
        ("Lund", "change"),
        ("Bonn", "change"),
        ("Rome", None),
    ]


def test_deletes_are_withdrawn_when_they_are_to_be_left_out(job: Job) -> None:
    assert "delete" in {v["closed_by"] for v in job.versions()}
    job.swap(delete="ignore")
    job.start(delete="ignore")
    job.batch()
    assert "delete" not in {v["closed_by"] for v in job.versions()}
    assert {(r["customer_id"], r["seq_pos"], r["is_visible"]) for r in job.rows(f"op = '{WITHDRAWN}'")} == {(7, 30, False), (8, 80, False)}
    assert job.versions(8)[-1]["is_current"]


def test_a_column_that_becomes_tracked_gives_more_versions(job: Job) -> None:
    roles = {"tracked": [*ROLES["tracked"], "points"], "in_place": ["last_login_at"]}
    before = len(job.versions())
    job.swap(**roles)
    job.start(**roles)
    job.batch()
    assert len(job.versions()) > before
    assert [v["points"] for v in job.versions()][-2:] == [5, 9]


def test_a_truncate_that_was_refused_closes_when_it_may(job: Job) -> None:
    job.swap(truncate="close")
    job.start(truncate="close")
    job.batch()
    assert {(v["customer_id"], v["seq_pos"]) for v in job.rows("is_visible AND closed_by = 'truncate'")} == {(7, 40), (8, 15)}
    job.batch(change(5, "c", 11, city="Bern"))
    assert [v["closed_by"] for v in job.versions(11)] == ["truncate"]
    assert job.difference(truncate="close").equal


def test_new_columns_survive_a_rebuild(job: Job) -> None:
    def seen() -> list[tuple[Any, ...]]:
        return [(v["city"], v["nickname"], v["shoe_size"]) for v in job.versions() if not v["is_deleted"]]

    before = seen()
    assert before[-1] == ("Rome", "ada", 41)
    job.swap(delete="mark")
    job.start(delete="mark")
    job.batch(change(90, "u", schema_id=NEW, city="Nice", nickname="eve", shoe_size=41))
    assert seen() == [*before, ("Nice", "eve", 41)]
    assert job.difference(delete="mark").equal
