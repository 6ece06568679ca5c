"""Random worlds for the lake job: some settings of a history, and for each of them several histories that share its tables.

Larger than those of the fast tests, and made with a plain seed: a run of the job costs too much to be shrunk.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from commerce360.conformance.cases import Batch, Case
from commerce360.conformance.runner import Run
from stream_jobs.scd2.roles import DELETE, NEW_COLUMNS, TRUNCATE, Roles

Raw = dict[str, Any]
PLACEHOLDER = "__debezium_unavailable_value"
LAST = 253_402_214_400_000_000
T0 = 1_770_000_000_000_000
SINGLE, PAIR = ("id",), ("id", "shop")
TYPES = {"id": "int", "points": "int"}
TEXTS = ("Oslo", "Oslo", "oslo", "Oslo ", "", "\\", "a|b", "Ålesund", "A\u030alesund", "'\n\"", "zoë 🛒")
SHOPS = ("a|b", "a\\", "a", "A", "a ", "é", "e\u0301", "")
BAD: tuple[Raw, ...] = (
    *({"op": op} for op in ("x", None, "", "m")),
    *({"key": key} for key in (None, [None], [])),
    *({"seq": seq} for seq in (None, [1], [None, 0], [-1, 0], ["1", 0], [True, 0], [1, 2, 3], 5)),
    *({"ts": ts} for ts in (None, -1, LAST, "3", True, 1.0)),
    {"after": None},
    {"after": {"id": 99, "city": "Oslo"}},
)


def runs(seed: int, worlds: int = 6) -> list[Run]:
    """`worlds` runs for each of the nine ways to treat deletes and truncates; every other setting occurs among them."""
    dice = random.Random(seed)
    ways = [*product(DELETE, TRUNCATE)]
    others = [_spread(dice, v, len(ways)) for v in (NEW_COLUMNS, (SINGLE, PAIR), ((), ("city",), ("points", "tier")))]
    made = []
    for (delete, truncate), new_columns, key, ignore_null in zip(ways, *others, strict=True):
        config = {"key": [*key], "tracked": ["city", "tier"], "in_place": ["points"], "ignored": ["synced_at"], "types": TYPES}
        config |= {"delete": delete, "truncate": truncate, "new_columns": new_columns, "ignore_null": [*ignore_null]}
        for _ in range(worlds):
            number = len(made)
            case = Case(f"random-{number}", "", config, [*_deliveries(dice, *_world(dice, key))], [], [], {}, None)
            made.append(Run(number, case, "written", Roles.of(config), case.batches))
    return made


def _spread(dice: random.Random, values: Sequence[Any], count: int) -> list[Any]:
    found = [values[n % len(values)] for n in range(count)]
    dice.shuffle(found)
    return found


def _world(dice: random.Random, key: tuple[str, ...]) -> tuple[list[Raw], list[Raw]]:
    """Changes and facts. Few positions and fewer instants, so that much of it collides."""
    count, ids = dice.randint(40, 120), range(1, dice.randint(3, 7))
    keys = [[n] if key == SINGLE else [n, dice.choice(SHOPS)] for n in ids for _ in key]
    length = max(count // 2, 20)
    positions = sorted(dice.randrange(length) for _ in range(count))
    changes = [_change(dice, dice.choice(keys), key, position, length) for position in positions]
    known = [*keys, None, [98, "a|b"][: len(key)], [99, "a\\"][: len(key)], [1, None][-len(key) :]]
    times = [None, 0, *(T0 + n for n in range(-5, length * 2 + 40))]
    facts = [{"id": f"f{n}", "key": dice.choice(known), "ts": dice.choice(times)} for n in range(dice.randint(8, 25))]
    return changes, facts


def _change(dice: random.Random, at: list[Any], key: tuple[str, ...], position: int, length: int) -> Raw:
    op = "t" if dice.random() < 0.02 else dice.choice("ccuuuuuuuurrddd")
    drift = dice.choice((0, 0, 0, 0, 1, 2, -1, -3, 5, -20))  # of the source's clock: two positions are two instants apart
    made: Raw = {"op": op, "key": None if op == "t" else at, "seq": [position, dice.choice((0, 0, 1))], "after": None, "link": None}
    made["ts"] = T0 + 2 * position + drift
    if op in "cur":
        made["after"] = {c: v for c, v in _image(dice, position / length).items() if dice.random() < 0.8}
        if dice.random() < 0.5:
            made["after"][key[0]] = at[0]
    if op in "cd" and dice.random() < 0.3:
        made["link"] = {"new_key" if op == "d" else "old_key": [dice.randint(1, 9), *dice.sample(SHOPS, len(key) - 1)]}
    return {**made, **dice.choice(BAD)} if dice.random() < 0.06 else made


def _image(dice: random.Random, age: float) -> Raw:
    """The source gets a column, then another one, and loses one; now and then a record of the other schema is among them."""

    def text() -> Any:
        return dice.choice((PLACEHOLDER, None, *TEXTS))

    image = {"city": text(), "points": dice.choice((PLACEHOLDER, None, 0, 1, -1, 2**53 + 1, 2**63 - 1)), "synced_at": text()}
    shape = age + dice.choice((0.0, 0.0, 0.0, 0.5, -0.5))
    if shape < 0.8:
        image["tier"] = text()
    if shape > 0.5 and dice.random() < 0.7:
        image["nick"] = text()
    if shape > 0.7 and dice.random() < 0.7:
        image["age"] = dice.choice((PLACEHOLDER, None, 0, 7))
    return image


def _deliveries(dice: random.Random, changes: list[Raw], facts: list[Raw]) -> Iterator[Batch]:
    """Any order, any cut, some of it again; batches that crash, and empty ones."""
    line = [*(("change", c) for c in [*changes, *dice.choices(changes, k=len(changes) // 5)]), *(("fact", f) for f in [*facts, facts[0]])]
    if dice.random() < 0.8:  # else as the source sends it
        dice.shuffle(line)
    cuts = sorted(dice.randrange(len(line)) for _ in range(dice.randint(1, 11)))
    for low, high in zip([0, *cuts], [*cuts, len(line)], strict=True):
        part = line[low:high]
        kinds = ([made for kind, made in part if kind == wanted] for wanted in ("change", "fact"))
        yield Batch(*kinds, crash=dice.random() < 0.2)
