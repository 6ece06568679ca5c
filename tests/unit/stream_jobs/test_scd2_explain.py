"""What a person reads who asks why a history looks as it does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from scd2_worlds import World, worlds

from stream_jobs.scd2.change import Change, canonical, problem, usable
from stream_jobs.scd2.effects import moment
from stream_jobs.scd2.explain import Arrival, Entry, Explanation, Refusal, explain
from stream_jobs.scd2.fold import Version
from stream_jobs.scd2.history import History
from stream_jobs.scd2.roles import Roles

ROLES = Roles(key=("id",), tracked=("city",), in_place=("points",), truncate="close")
PLACEHOLDER = "__debezium_unavailable_value"


def change(seq: int, op: str = "u", ts: int | None = None, link: Any = None, **after: Any) -> Arrival:
    links = {"new_key" if op == "d" else "old_key": link}
    return Arrival(Change(op, None if op == "t" else (1,), (seq, 0), seq if ts is None else ts, after if op in "cur" else None, **links))


def explained(*arrivals: Arrival | Refusal, **roles: Any) -> Explanation:
    settings_ = {name: getattr(ROLES, name) for name in Roles.__dataclass_fields__}
    return explain((1,), arrivals, Roles(**{**settings_, **roles}))


def did(explanation: Explanation, arrival: int) -> list[tuple[str, int | None]]:
    return [(e.kind, e.version) for e in at(explanation, arrival).did]


def at(explanation: Explanation, arrival: int) -> Entry:
    return next(e for e in explanation.entries if e.arrival == arrival)


def says(explanation: Explanation, arrival: int) -> str:
    return "; ".join(e.text.replace("1970-01-01 00:00:00.0000", "T") for e in at(explanation, arrival).did)


OSLO, ROME = change(10, "c", city="Oslo", points=1), change(20, city="Rome")


def test_a_change_of_a_tracked_value_closes_a_version_and_opens_one():
    found = explained(OSLO, ROME)
    assert says(found, 1) == "opened version from T1"
    assert says(found, 2) == "closed version from T1 at T2 (closed by change); opened version from T2"


def test_entries_are_in_sequence_order_and_late_ones_are_marked():
    found = explained(ROME, OSLO)
    assert [(e.seq, e.arrival, e.late) for e in found.entries] == [((10, 0), 2, True), ((20, 0), 1, False)]
    assert did(found, 2) == [("in_place", 20), ("opened", 10)]  # the version behind it goes on with its points


def test_what_was_sent_is_told_against_the_state_before_in_the_sequence():
    found = explained(change(30, city="Rome", points=1), OSLO, change(20, city="Oslo", points=1))
    assert [[(s.column, s.role, s.before, s.value) for s in e.sent] for e in found.entries] == [
        [("city", "tracked", None, "Oslo"), ("points", "in_place", None, 1)],
        [],
        [("city", "tracked", "Oslo", "Rome")],
    ]


@pytest.mark.parametrize("later", [change(40, city="Lima"), change(40, city="Oslo", points=9)])
def test_a_late_change_splits_what_goes_on_behind_it(later: Arrival):
    found = explained(OSLO, later, change(20, city="Rome"))
    assert [kind for kind, _ in did(found, 3)][:1] == ["split"]
    assert ("opened", 20) in did(found, 3)


def test_a_late_delete_moves_an_end():
    assert did(explained(OSLO, change(40, city="Lima"), change(20, "d")), 3) == [("end_moved", 10), ("in_place", 40)]


def test_a_closed_version_is_split_in_two():
    found = explained(OSLO, change(30, city="Oslo"), change(40, city="Lima"), ROME)
    assert says(found, 4).startswith("split version from T1 at T2 (closed by change); opened version from T2 to T3; opened version from T3")


def test_an_equal_late_change_moves_a_start():
    assert says(explained(ROME, change(15, city="Rome")), 2) == "moved the start of version from T2 earlier, to T15"


def test_a_clock_that_steps_back_moves_a_start_later_when_it_is_found_out():
    found = explained(OSLO, ROME, change(15, ts=30, city="Oslo"))
    assert ("start_moved", 30) in did(found, 3)
    assert (at(found, 2).ts, at(found, 2).eff) == (20, 30)


def test_an_in_place_value_is_told_with_its_version():
    assert says(explained(OSLO, change(20, points=5)), 2) == "points 1 -> 5 in version from T1"


def test_a_late_value_resolves():
    found = explained(change(10, "c", city=PLACEHOLDER), change(5, "c", city="Oslo"))
    assert did(found, 2) == [("opened", 5), ("removed", 10)]
    found = explained(change(10, "c", city="Oslo", points=PLACEHOLDER), change(20, points=3))
    assert says(found, 2) == "resolved points in version from T1: 3"


def test_a_delete_closes_and_a_return_re_opens():
    found = explained(OSLO, change(20, "d"), change(30, "c", city="Oslo"))
    assert says(found, 2) == "closed version from T1 at T2 (closed by delete)"
    assert says(found, 3) == "re-opened version from T3"


def test_a_late_change_can_remove_a_version():
    found = explained(OSLO, ROME, change(19, ts=20, city="Lima"), change(21, ts=20, city="Oslo"))
    assert says(found, 3) == "nothing: a later change of the same instant counts"
    assert did(found, 4) == [("reopened", 10), ("removed", 20)]


def test_conflicts_are_told_on_both_sides():
    found = explained(change(10, "u", city="Oslo"), change(10, "d"), change(10, "c", city="Rome"))
    assert did(found, 1) == [("opened", 10), ("conflict_lost", None)]
    assert "won the conflict with arrival 1 (operation)" in says(found, 2)
    assert says(found, 3) == "rejected: seq_conflict, lost to arrival 2 (operation)"
    assert at(found, 3).eff is None


def test_what_changes_nothing_says_why():
    found = explained(
        OSLO,
        OSLO,
        change(20, city="Oslo"),
        change(5, "d"),
        Refusal("null_seq", {"op": "u", "key": [1], "seq": None}),
        change(30, "t"),
        change(29, points=7),
        change(28, points=6),
    )
    assert says(found, 2) == "repetition of arrival 1"
    assert says(found, 3) == "nothing: no value differs (no-op)"
    assert says(found, 4) == "nothing: the key was not there; it is remembered"
    assert says(found, 5) == "rejected: null_seq"
    assert says(found, 6) == "closed version from T1 at T3 (closed by truncate)"
    assert says(found, 8) == "nothing shown: later changes decide; it is remembered"
    assert found.entries[-1].arrival == 5  # without a sequence it has no place


def test_the_settings_leave_deletes_and_truncates_out():
    found = explained(OSLO, change(20, "d"), change(30, "t"), delete="ignore", truncate="ignore")
    assert [says(found, n) for n in (2, 3)] == ["left out: the settings ignore deletes", "left out: the settings ignore truncates"]


def test_times_are_as_short_as_they_are_exact():
    assert [moment(t) for t in (0, 1_500_000, 1)] == ["1970-01-01 00:00:00", "1970-01-01 00:00:01.5", "1970-01-01 00:00:00.000001"]


QUIET = {"no_op", "repetition", "rejected", "left_out", "conflict_won", "conflict_lost"}


def shape(version: Version) -> tuple[Any, ...]:
    """What a row shows. A new column that only another key has is a column of the table."""
    values = canonical({c: v for c, v in version.values.items() if v is not None})
    links = (version.moved_from, version.moved_to)
    return (version.valid_from, version.valid_to, version.closed_by, version.is_deleted, version.unresolved, links, values)


def arrivals_of(world: World, key: tuple[Any, ...]) -> list[Arrival | Refusal]:
    found: list[Arrival | Refusal] = []
    for raw in world.records:
        if reason := problem(raw, world.roles):
            found.append(Refusal(reason, raw))
        elif raw["op"] == "t" or tuple(raw["key"]) == key:
            found.append(Arrival(usable(raw, world.roles)))
    return found


@settings(deadline=None, max_examples=200, print_blob=True)
@given(worlds())
def test_any_history_is_explained_and_its_versions_are_those_of_the_table(world: World):
    history = History(world.roles)
    history.apply(world.records)
    for key, versions in history.versions().items():
        arrivals = arrivals_of(world, key)
        found = explain(key, arrivals, world.roles)
        assert [shape(v) for v in found.versions] == [shape(v) for v in versions]
        assert sorted(e.arrival for e in found.entries) == list(range(1, len(arrivals) + 1))
        taken = [e for e in found.entries if e.eff is not None]
        assert all(left.seq <= right.seq and left.eff <= right.eff for left, right in pairwise(taken))


@settings(deadline=None, max_examples=200, print_blob=True)
@given(worlds())
def test_an_arrival_is_told_to_do_something_exactly_if_the_rows_differ_after_it(world: World):
    for key in {tuple(r["key"]) for r in world.records if r["op"] != "t" and not problem(r, world.roles)}:
        arrivals = arrivals_of(world, key)
        entries = {e.arrival: e for e in explain(key, arrivals, world.roles).entries}
        shown = [[shape(v) for v in explain(key, arrivals[:n], world.roles).versions] for n in range(len(arrivals) + 1)]
        for number, (before, after) in enumerate(pairwise(shown), 1):
            kinds = {e.kind for e in entries[number].did}
            assert kinds
            assert bool(kinds - QUIET) == (before != after)
