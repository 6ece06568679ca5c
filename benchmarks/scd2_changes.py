"""The workload of the SCD2 benchmark: customers, their changes batch by batch, and the state that must be the outcome.

A change is written as Debezium does it (Avro in the registry's wire format, log sequence numbers, commit times). All draws come from one
seed, so every contender gets the same changes.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import fastavro

TOPIC = "oltp.sales.customers"
PARTITIONS = 3
VALUE_ID, KEY_ID = 2, 12
SNAPSHOT_LSN, SNAPSHOT_US = 1_000_000, 1_790_000_000_000_000
BEGINNING_US = 1_791_000_000_000_000  # of the changes
HELD_BATCHES = 3  # a late change comes this many batches after the one that overtook it

CITIES = ("Oslo", "Rome", "Lima", "Kyoto", "Quito", "Porto", "Turin")
TIERS = ("bronze", "silver", "gold")
TRACKED = ("email", "full_name", "city", "country", "tier", "marketing_consent")
COLUMNS = ("customer_id", *TRACKED, "points", "last_login_at", "created_at")

# Weights of the kinds of change. A late one is a pair: the change that overtakes now, the overtaken one some batches later.
MIXED = {"tracked": 50, "no_op": 15, "in_place": 17, "late": 5, "new": 5, "delete": 3}
PLAIN = {"tracked": 70, "no_op": 20, "new": 10}  # what dlt and dbt can express too

TEXT = ["null", "string"]
TYPES: dict[str, Any] = {"customer_id": "long", "email": TEXT, "full_name": "string", "city": TEXT, "country": TEXT, "tier": "string"}
TYPES |= {"marketing_consent": "boolean", "points": "long", "last_login_at": TEXT, "created_at": "string"}
SOURCE: dict[str, Any] = {"version": "string", "connector": "string", "name": "string", "ts_ms": "long", "snapshot": TEXT, "db": "string"}
SOURCE |= {"sequence": TEXT, "ts_us": ["null", "long"], "schema": "string", "table": "string"}
SOURCE |= {"txId": ["null", "long"], "lsn": ["null", "long"], "xmin": ["null", "long"]}


def _record(name: str, namespace: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": namespace, "fields": [{"name": f, "type": t} for f, t in fields.items()]}


SCHEMAS: dict[int, dict[str, Any]] = {
    VALUE_ID: _record(
        "Envelope",
        TOPIC,
        {
            "before": ["null", _record("Value", TOPIC, TYPES)],
            "after": ["null", f"{TOPIC}.Value"],
            "source": _record("Source", "io.debezium", SOURCE),
            "op": "string",
            "ts_ms": ["null", "long"],
        },
    ),
    KEY_ID: _record("Key", TOPIC, {"customer_id": "long"}),
}
PARSED = {number: fastavro.parse_schema(json.loads(json.dumps(schema))) for number, schema in SCHEMAS.items()}

State = dict[str, Any]


class Change(NamedTuple):
    number: int  # customer
    op: str
    lsn: int
    ts_us: int
    before: State | None
    after: State | None


class Message(NamedTuple):
    """A Kafka record."""

    partition: int
    offset: int
    ts_us: int
    key: bytes
    value: bytes


def initial(number: int) -> State:
    """The row of a customer in the snapshot that every table begins with; numbers begin with 0."""
    return {
        "customer_id": number,
        "email": f"customer{number}@example.org",
        "full_name": f"Customer {number}",
        "city": CITIES[number % len(CITIES)],
        "country": "NO",
        "tier": TIERS[number % len(TIERS)],
        "marketing_consent": number % 2 == 0,
        "points": number % 1000,
        "last_login_at": None,
        "created_at": "2026-01-01T00:00:00Z",
    }


def snapshot(number: int) -> Change:
    return Change(number, "r", SNAPSHOT_LSN, SNAPSHOT_US + number, None, initial(number))


def message(change: Change) -> Message:
    """In the partition of its customer. The offset of a snapshot record is fixed; later ones are set by `Workload`."""
    source = {"version": "3.7.0.Final", "connector": "postgresql", "name": "oltp", "ts_ms": change.ts_us // 1000, "db": "commerce"}
    source |= {"snapshot": "true" if change.op == "r" else "false", "sequence": json.dumps([str(change.lsn - 8), str(change.lsn)])}
    source |= {"ts_us": change.ts_us, "schema": "sales", "table": "customers", "txId": change.lsn, "lsn": change.lsn, "xmin": None}
    value = {"before": change.before, "after": change.after, "source": source, "op": change.op, "ts_ms": change.ts_us // 1000}
    framed = _framed(KEY_ID, {"customer_id": change.number}), _framed(VALUE_ID, value)
    return Message(change.number % PARTITIONS, change.number // PARTITIONS, change.ts_us // 1000 * 1000, *framed)


def _framed(schema_id: int, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED[schema_id], value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


@dataclass
class Workload:
    """Batches of changes on a table of `rows` customers.

    A small table's customers change again and again while a large one's hardly do, so their histories would differ in length, and with
    them the work of a fold. So in a table larger than `like`, a `cold` share of the changes goes to any customer, the others to few
    ones: so few that the mean length of the histories that a batch meets is that of a table of `like` rows.
    """

    rows: int
    like: int
    weights: dict[str, int] = field(default_factory=lambda: MIXED)
    cold: float = 0.5
    seed: int = 360

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.total = self.rows  # customers ever
        self.changed: dict[int, State | None] = {}
        self.held: list[tuple[int, Change]] = []  # due batch, change
        self.kinds: dict[str, int] = dict.fromkeys(self.weights, 0)
        self.lengths: list[float] = []  # mean length of the histories that each batch met
        self._known: dict[int, int] = {}
        self._place = -1
        self._offsets = [self.rows // PARTITIONS + 1] * PARTITIONS
        self._lsn, self._now = SNAPSHOT_LSN + 16, BEGINNING_US
        few = max(1, round((1 - self.cold) ** 2 * self.like))
        self._hot = self.random.sample(range(self.rows), few) if self.rows > self.like else []

    @property
    def ends(self) -> dict[int, int]:
        """Offset behind the last message of each partition."""
        return dict(enumerate(self._offsets))

    @property
    def open(self) -> int:
        """Customers that exist now."""
        return self.total - sum(1 for state in self.changed.values() if state is None)

    def state(self, number: int) -> State | None:
        return self.changed[number] if number in self.changed else initial(number)

    def batch(self, size: int) -> list[Change]:
        """The next `size` changes; no customer changes twice among them."""
        place = self._place = self._place + 1
        due = [change for at, change in self.held if at <= place]
        self.held = [(at, change) for at, change in self.held if at > place]
        made = due[:size]
        self.held += [(place + 1, change) for change in due[size:]]
        taken = {change.number for change in due} | {change.number for _, change in self.held}
        while len(made) < size:
            kind = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            self.kinds[kind] += 1
            made.append(self._draw(kind, place, taken))
        self.lengths.append(sum(self._known.get(c.number, 0) + (c.number < self.rows) for c in made) / size)
        for change in made:
            self._known[change.number] = self._known.get(change.number, 0) + 1
        return made

    def messages(self, changes: list[Change]) -> list[Message]:
        made = []
        for change in changes:
            found = message(change)
            made.append(found._replace(offset=self._offsets[found.partition]))
            self._offsets[found.partition] += 1
        return made

    def _draw(self, kind: str, place: int, taken: set[int]) -> Change:
        if kind == "new":
            number, before = self.total, None
            self.total += 1
        else:
            number, before = self._someone(taken)
        taken.add(number)
        if kind == "delete":
            return self._change(number, "d", before, None)
        after = initial(number) if before is None else dict(before)
        if kind == "late":
            overtaken = self._change(number, "u", before, self._moved(after))
            self.held.append((place + HELD_BATCHES, overtaken))
            before = overtaken.after
        if kind in ("tracked", "late"):
            after = self._moved(before or after, after["city"])  # also not back to where it was before a late one
        elif kind == "in_place":
            after["points"] += 10
        return self._change(number, "c" if kind == "new" else "u", before, after)

    def _moved(self, state: State, city: str = "") -> State:
        """To a city that is neither its own nor `city`."""
        city = self.random.choice([c for c in CITIES if c not in (state["city"], city)])
        return {**state, "city": city, "tier": self.random.choice(TIERS)}

    def _someone(self, taken: set[int]) -> tuple[int, State]:
        hot = self._hot and self.random.random() >= self.cold
        for attempt in range(10_000):
            number = self.random.choice(self._hot) if hot and attempt < 100 else self.random.randrange(self.rows)
            state = self.state(number)
            if number not in taken and state is not None:
                return number, state
        raise SystemExit(f"error: {self.rows} customers are too few for such batches\nhint: use larger tables, or smaller or fewer batches")

    def _change(self, number: int, op: str, before: State | None, after: State | None) -> Change:
        self._lsn += 16
        self._now += 1000
        self.changed[number] = after
        return Change(number, op, self._lsn, self._now, before, after)
