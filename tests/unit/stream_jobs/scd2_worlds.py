"""Random worlds for the SCD2 rules: few keys, few places, few instants, so that everything collides with everything.

A world is what a table could be given: roles with any settings, raw records (good and bad ones) and facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from scd2_oracle import Fact

from stream_jobs.scd2.roles import DELETE, NEW_COLUMNS, TRUNCATE, Roles

Raw = dict[str, Any]
PLACEHOLDER = "__debezium_unavailable_value"
ABSENT = object()
LAST = 253_402_214_400_000_000

SINGLE, PAIR = ("id",), ("id", "shop")
KEYS = {SINGLE: [[1], [1], [2]], PAIR: [[1, "a|b"], [1, "a\\"], [2, "é"]]}
UNKNOWN = {SINGLE: [9], PAIR: [9, "a|b"]}
TRACKED, IN_PLACE = ("city", "tier"), ("points",)
IMAGE = (*TRACKED, *IN_PLACE, "synced_at", "nick", "age")  # the last two are named by no role
POSITIONS = [(p, o) for p in range(1, 9) for o in (0, 0, 1)]
DRIFT = [0, 0, 0, 0, 1, 2, -1, -3, 5]  # of the source's clock: two positions are two instants apart
VALUES = [ABSENT, PLACEHOLDER, None, "Oslo", "Oslo", "oslo", "", "Ålesund", 0, 1]
NEW_VALUES = [*[ABSENT] * 8, PLACEHOLDER, None, 7, "x"]
BAD = [
    *({"op": op} for op in ("x", None, "", "m")),
    *({"key": key} for key in (None, [None], [])),
    *({"seq": seq} for seq in (None, [1], [None, 0], [-1, 0], ["1", 0], [True, 0], [1, 2, 3], 5)),
    *({"ts": ts} for ts in (None, -1, LAST, LAST + 1, "3", True, 1.0)),
    *({"after": after} for after in (None, {"id": 99, "city": "Oslo"})),
]

values, new_values = st.sampled_from(VALUES), st.sampled_from(NEW_VALUES)
places = st.tuples(st.sampled_from("cuuuurrddt"), st.sampled_from(POSITIONS), st.sampled_from(DRIFT))
images = st.tuples(values, values, values, new_values, new_values, new_values)
bad_parts = st.sampled_from([*[{}] * (12 * len(BAD)), *BAD])


@dataclass(frozen=True)
class World:
    roles: Roles
    records: list[Raw]
    facts: list[Fact]

    def raw_facts(self) -> list[Raw]:
        return [{"id": f.id, "key": f.key, "ts": f.ts} for f in self.facts]


@st.composite
def roles(draw: st.DrawFn) -> Roles:
    return Roles(
        key=draw(st.sampled_from([SINGLE, SINGLE, PAIR])),
        tracked=TRACKED,
        in_place=IN_PLACE,
        ignored=("synced_at",),
        new_columns=draw(st.sampled_from(NEW_COLUMNS)),
        ignore_null=draw(st.sampled_from([(), ("city",), ("points", "tier")])),
        delete=draw(st.sampled_from(DELETE)),
        truncate=draw(st.sampled_from(TRUNCATE)),
    )


def records(key: tuple[str, ...]) -> st.SearchStrategy[Raw]:
    links = st.sampled_from([*[None] * 6, *KEYS[key], UNKNOWN[key]])
    return st.builds(lambda *parts: _record(key, *parts), st.sampled_from(KEYS[key]), places, images, st.booleans(), links, bad_parts)


def _record(key: tuple[str, ...], at: list[Any], place: Any, image: Any, repeats_key: bool, link: list[Any] | None, bad: Raw) -> Raw:
    op, seq, drift = place
    record: Raw = {"op": op, "key": None if op == "t" else at, "seq": [*seq], "ts": max(2 * seq[0] + drift, 0), "after": None, "link": None}
    if op in "cur":
        record["after"] = {c: v for c, v in zip(IMAGE, image, strict=True) if v is not ABSENT}
        if repeats_key:
            record["after"][key[0]] = at[0]
    if op != "t" and link is not None:
        record["link"] = {"new_key" if op == "d" else "old_key": link}
    return {**record, **bad}


@st.composite
def facts(draw: st.DrawFn, key: tuple[str, ...]) -> list[Fact]:
    """Facts with a key of their own each: the same id with two contents is not a set of facts."""
    keys = [None, *map(tuple, KEYS[key]), tuple(UNKNOWN[key])]
    found = draw(st.lists(st.tuples(st.sampled_from(keys), st.sampled_from([None, *range(20)])), max_size=4))
    return [Fact(f"f{n}", at, ts) for n, (at, ts) in enumerate(found)]


@st.composite
def worlds(draw: st.DrawFn, min_size: int = 6, max_size: int = 12) -> World:
    made = draw(roles())
    return World(made, draw(st.lists(records(made.key), min_size=min_size, max_size=max_size)), draw(facts(made.key)))


@st.composite
def deliveries(draw: st.DrawFn, things: Sequence[Any]) -> list[list[Any]]:
    """Any order, any repetition, any cut into batches (empty ones too) of the same things."""
    order = draw(st.permutations(things))
    again = draw(st.lists(st.sampled_from(things), max_size=5)) if things else []
    line = [*order, *again]
    cuts = sorted(draw(st.lists(st.integers(0, len(line)), max_size=4)))
    return [line[low:high] for low, high in zip([0, *cuts], [*cuts, len(line)], strict=True)]
