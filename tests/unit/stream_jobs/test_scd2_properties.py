"""Whatever comes, however it comes: the rules of history hold, as a second, naive reading of them says.

A failure prints the smallest world that shows it and an `@reproduce_failure` line with its seed; put that line above the test to see it
again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scd2_oracle import Expected, as_json, expected, rejection
from scd2_worlds import Raw, World, deliveries, worlds

from stream_jobs.scd2 import invariants
from stream_jobs.scd2.history import History
from stream_jobs.scd2.roles import ConfigDriftError, Roles

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # without `explain`, which takes minutes here
OURS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)


def held(history: History) -> tuple[Any, ...]:
    """All that a table says, whatever the order in which it says it."""
    return texts(history.rows()), texts(history.rejections()), {k: tuple(t) for k, t in history.targets().items()}


def texts(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(as_json(r) for r in rows)


def told(found: Expected, columns: Iterable[str]) -> tuple[Any, ...]:
    """As `held`. A column that no row has a value for need not be known to both."""
    rows = [{**dict.fromkeys(columns), **row} for row in found.rows]
    return texts(rows), texts(found.rejected), found.targets


def given_all(world: World) -> History:
    history = History(world.roles)
    history.apply(world.records, world.raw_facts())
    return history


def broken(history: History, world: World, records: Iterable[Raw]) -> list[str]:
    upserts: dict[tuple[Any, ...], set[tuple[int, int]]] = defaultdict(set)
    for record in records:
        if record["op"] in ("c", "u", "r") and rejection(record, world.roles) is None:
            upserts[tuple(record["key"])].add(tuple(record["seq"]))
    tracked = [c for c in history.columns() if world.roles.role(c) == "tracked"]
    return invariants.check_rows(history.rows(), world.roles.key, tracked, {k: len(v) for k, v in upserts.items()})


@settings(OURS, max_examples=700)
@given(worlds(), st.data())
def test_only_the_set_of_records_counts(world: World, data: st.DataObject):
    """R6: any order, any cut into batches, any repetition."""
    whole, parts = given_all(world), History(world.roles)
    for batch in data.draw(deliveries(world.records)):
        parts.apply(batch)
    parts.apply([], world.raw_facts()[::-1])
    assert held(parts) == held(whole)


@settings(OURS, max_examples=300)
@given(worlds())
def test_a_crash_at_any_point_and_a_redelivery_change_nothing(world: World):
    """R6: what was taken before the crash comes again, with all the rest."""
    whole = held(given_all(world))
    for taken in range(len(world.records) + 1):
        history = History(world.roles)
        history.apply(world.records[:taken], world.raw_facts()[:taken])
        history.apply(world.records, world.raw_facts())
        assert held(history) == whole


@settings(OURS, max_examples=900)
@given(worlds(), st.data())
def test_rows_rejections_and_targets_are_those_of_the_rules_after_every_batch(world: World, data: st.DataObject):
    """R4 to R17 and R19 to R23: complete rows, conflicts, rejected records and facts against the naive reading."""
    history, so_far = History(world.roles), list[Raw]()
    for batch in data.draw(deliveries(world.records)):
        so_far += batch
        history.apply(batch, world.raw_facts())
        assert held(history) == told(expected(so_far, world.facts, world.roles), history.columns())
        assert broken(history, world, so_far) == []


@settings(OURS, max_examples=150)
@given(worlds(20, 40))
def test_longer_histories_of_a_few_keys_follow_the_rules_too(world: World):
    history = given_all(world)
    assert held(history) == told(expected(world.records, world.facts, world.roles), history.columns())
    assert broken(history, world, world.records) == []


@settings(OURS, max_examples=60)
@given(worlds(), worlds())
def test_a_batch_under_other_roles_leaves_no_trace(world: World, other: World):
    """R18. The same roles in another order of their columns are the same roles."""
    history = given_all(world)
    before = held(history)
    same = Roles.of({**_settings(world.roles), "tracked": [*world.roles.tracked][::-1]})
    history.apply(world.records, world.raw_facts(), same)
    if _settings(other.roles) != _settings(world.roles):
        with pytest.raises(ConfigDriftError):
            history.apply(other.records, other.raw_facts(), other.roles)
    assert held(history) == before


def _settings(roles: Roles) -> dict[str, Any]:
    return {name: getattr(roles, name) for name in Roles.__dataclass_fields__}
