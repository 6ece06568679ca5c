"""`c360 scd2 explain` on a lake of its own: no service runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from commerce360.cli.scd2_explain import explain, key_parts
from commerce360.errors import C360Error, ConfigError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import DEAD_LETTERS, DIM_CUSTOMER
from schemas.topics import CUSTOMERS as TOPIC
from stream_jobs.batch import dead_letters
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Record, RejectedError, Rejection, Row

T0 = 1_770_000_000_000_000  # 2026-02-02 02:40:00

app = typer.Typer()
app.command()(explain)


class Shop:
    """Records of customers, taken one a batch in the order in which they come."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(LakeSettings(root=str(root)))
        for table in (DIM_CUSTOMER, DEAD_LETTERS):
            self.lake.create(table)
        self.rows: dict[Any, Row] = {}
        self.offset = 0

    def take(self, lsn: int, op: str = "u", key: int = 7, **values: Any) -> None:
        self.offset += 1
        source = {"sequence": f'["{lsn - 8}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn, "snapshot": "false"}
        after = None if op == "d" else {"customer_id": key, "email": "a@example.org", **values}
        record = Record(TOPIC.name, 0, self.offset, T0 + self.offset * 1000, b"k", b"v")
        try:
            found = CUSTOMERS.read(record, {"customer_id": key}, {"op": op, "before": None, "after": after, "source": source})
        except RejectedError as error:
            self.set_aside([Rejection(record, error.reason, error.detail)])
            return
        stored = [r for (at, *_), r in self.rows.items() if at == key]
        rows, rejections = CUSTOMERS.fold((key,), stored, found)
        self.rows.update({(r["customer_id"], r["seq_pos"], r["seq_ord"]): r for r in rows})
        self.lake.append(DIM_CUSTOMER, [{**r, "batch_id": self.offset} for r in rows], "q", self.offset)
        self.set_aside(rejections)

    def set_aside(self, rejections: list[Rejection]) -> None:
        if rejections:
            self.lake.append(DEAD_LETTERS, dead_letters(rejections, self.offset), "q", self.offset)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("C360_LAKE__ROOT", str(tmp_path))
    return Shop(tmp_path)


def told(*args: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["--json", *args], catch_exceptions=False)
    return dict(json.loads(done.output))


def test_each_change_is_told_with_where_it_came_from(shop: Shop) -> None:
    shop.take(10, "c", city="Oslo")
    shop.take(30, city="Lima")
    shop.take(20, city="Rome")
    shop.take(40, "c", key=8, city="Bern")
    found = told("--key", "7")
    assert [(c["seq"], c["arrival"], c["late"], c["origin"].rsplit("/")[-1]) for c in found["changes"]] == [
        ([10, 10], 1, False, "1"),
        ([20, 20], 3, True, "3"),
        ([30, 30], 2, False, "2"),
    ]
    assert [e["kind"] for e in found["changes"][1]["did"]] == ["split", "opened"]
    assert [(v["values"]["city"], v["valid_from"] - T0, v["closed_by"]) for v in found["versions"]] == [
        ("Oslo", 10, "change"),
        ("Rome", 20, "change"),
        ("Lima", 30, None),
    ]


def test_rejected_records_of_the_key_are_told_from_the_dead_letters(shop: Shop) -> None:
    shop.take(10, "c", city="Oslo")
    shop.take(20, city="Rome")
    shop.take(20, city="Athens")  # a conflict that it loses
    shop.take(30, "t")
    shop.take(30, "x")
    shop.take(30, "x", key=8)
    shop.set_aside([Rejection(Record(TOPIC.name, 0, 99, T0, b"?", b"?"), "bad_magic", "the value is not in the registry's wire format")])
    found = told("--key", "7")
    did = {c["arrival"]: [e["text"] for e in c["did"]] for c in found["changes"]}
    assert did[3] == ["rejected: seq_conflict, lost to arrival 2 (larger row)"]
    assert (did[4], did[5]) == (["rejected: truncate_refused"], ["rejected: unknown_op"])
    assert (len(did), found["dead_letters_without_key"]) == (5, 1)


def test_the_loser_that_came_first_is_told_with_what_it_did(shop: Shop) -> None:
    shop.take(10, "c", city="Athens")
    shop.take(10, "c", city="Rome")
    found = told("--key", "7")
    assert [[e["kind"] for e in c["did"]] for c in found["changes"]] == [["opened", "conflict_lost"], ["conflict_won", "corrected"]]


def test_people_get_a_table_that_fits(shop: Shop) -> None:
    shop.take(10, "c", city="[bold]Oslo[/bold]", points=1)
    shop.take(30, city="Lima", full_name="x" * 300)
    shop.take(20, "d")
    shown = CliRunner().invoke(app, ["--key", "7"], catch_exceptions=False).output
    assert max(map(len, shown.splitlines())) <= 120
    for text in ("gold.dim_customer, customer_id 7", "u 30/30", "#3 late", "[bold]Oslo[/bold]", "2026-02-02 02:40:00.00001", "versions"):
        assert text in shown


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--key", "9"), 1, "gold.dim_customer has no change of key 9"),
        (("--key", "seven"), 2, "key 'seven' does not fit"),
        (("--key", "7|8"), 2, "has 2 parts"),
        (("--key", "7", "--table", "dim_date"), 2, "there is no dimension 'dim_date'"),
        (("--key", "7", "--table", "dim_product"), 2, "there is no lake with gold.dim_product"),
        (("--key", "7", "--capture", "x.jsonl"), 2, "--capture and --roles go together"),
    ],
)
def test_what_cannot_be_explained_is_said(shop: Shop, args: tuple[str, ...], code: int, message: str) -> None:
    shop.take(30, "t")
    with pytest.raises(C360Error, match=message.replace("|", r"\|")) as caught:
        CliRunner().invoke(app, args, catch_exceptions=False)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (code, True)


def test_a_capture_is_explained_in_the_order_of_its_lines(tmp_path: Path) -> None:
    def line(offset: int, key: list[Any], op: str, **after: Any) -> dict[str, Any]:
        source = {"sequence": f'["{offset}","{offset}"]', "lsn": offset, "ts_us": T0 + offset, "snapshot": "false"}
        columns = dict(zip(("shop", "id"), key, strict=True))
        value = {"op": op, "before": None, "after": {**columns, **after} if after else None, "source": source}
        return {
            "topic": "t",
            "partition": 0,
            "offset": offset,
            "timestamp": 1_770_000_000_000,
            "key": columns,
            "headers": [],
            "value": value,
        }

    lines = [line(2, ["a|b", 1], "u", city="Rome"), line(1, ["a|b", 1], "c", city="Oslo"), line(3, ["a|b", 2], "c", city="Bern")]
    capture, roles = tmp_path / "t.jsonl", tmp_path / "roles.yaml"
    capture.write_text("".join(json.dumps(each) + "\n" for each in lines))
    roles.write_text("key: [shop, id]\ntracked: [city]\n")
    found = told("--key", r"a\|b|1", "--capture", str(capture), "--roles", str(roles))
    assert [(c["seq"][0], c["arrival"], c["origin"]) for c in found["changes"]] == [(1, 2, "t/0/1"), (2, 1, "t/0/2")]
    assert found["key"] == ["a|b", 1]
    with pytest.raises(ConfigError, match="nothing"):
        CliRunner().invoke(app, ["--key", "a", "--capture", str(tmp_path / "nothing"), "--roles", str(roles)], catch_exceptions=False)


def test_parts_of_a_key_are_told_apart_as_version_keys_do() -> None:
    assert key_parts("17") == ["17"]
    assert key_parts(r"a\|b|c\\|") == ["a|b", "c\\", ""]
