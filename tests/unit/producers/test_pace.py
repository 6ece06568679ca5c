from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producers.pace import Budget, Pace


@given(st.floats(0.1, 2000), st.lists(st.floats(0, 0.5), max_size=30))
def test_nothing_that_is_due_is_left_out_and_nothing_comes_early(per_s: float, waits: list[float]) -> None:
    pace, now, taken = Pace(per_s, 0.0), 0.0, []
    for wait in waits:
        now += wait
        taken += pace.take(now, limit=10_000)
        assert all(due <= now for due in taken)
        assert pace.next_s > now
    assert abs(len(taken) - now * per_s) <= 1.01 or not waits
    assert taken == sorted(taken)


def test_what_is_late_is_caught_up_in_bounded_bites() -> None:
    pace = Pace(100, 0.0)
    bites = [len(pace.take(1.0, limit=40)) for _ in range(4)]
    assert bites == [40, 40, 21, 0]


def test_a_rate_of_zero_means_never() -> None:
    assert Pace(0, 0.0).take(1e9, limit=5) == []


def test_a_budget_bounds_the_average_and_the_burst() -> None:
    budget = Budget(per_s=10, burst=20, now_s=0.0)
    spent = sum(budget.take(3, now_s=tick / 100) for tick in range(1001)) * 3
    assert 115 <= spent <= 120


def test_a_budget_that_is_too_small_spends_nothing() -> None:
    budget = Budget(per_s=1, burst=5, now_s=0.0)
    assert not budget.take(6, 0.0)
    assert budget.take(5, 0.0)
