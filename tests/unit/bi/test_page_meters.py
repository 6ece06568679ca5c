from __future__ import annotations

from bi.dashboard.meters import Course, Meter, recent_rate


def counted(*points: tuple[float, float | None]) -> Meter:
    meter = Meter(window_s=6)
    for now, count in points:
        meter.add(now, count)
    return meter


def test_a_rate_is_the_growth_of_the_last_seconds_only() -> None:
    fast_then_slow = [(float(t), 100.0 * t) for t in range(11)] + [(float(t), 1000.0 + 10 * (t - 10)) for t in range(11, 21)]
    assert counted(*fast_then_slow).rate(20) == 10.0


def test_one_value_is_no_rate() -> None:
    assert counted().rate(5) == 0.0
    assert counted((1, 500)).rate(1) == 0.0


def test_a_counter_that_starts_again_is_not_a_negative_rate() -> None:
    meter = counted((0, 900), (1, 1000), (2, 3))
    assert meter.rate(2) == 0.0
    meter.add(3, 13)
    assert meter.rate(3) == 10.0


def test_a_counter_that_nobody_tells_any_more_has_no_rate() -> None:
    meter = counted((0, 0), (1, 100), (2, None), (3, None))
    assert meter.rate(3) == 100.0
    assert meter.rate(8) == 0.0


def test_a_rate_of_batches_counts_the_records_of_those_in_the_window() -> None:
    assert recent_rate([(1.0, 600), (95.0, 60), (99.0, 60)], now=100.0, window_s=6) == 20.0


def test_the_course_keeps_the_newest_points_by_name() -> None:
    course = Course(length=2)
    assert course.columns() == {}
    for t in range(3):
        course.add({"t": t, "kafka": t * 10})
    assert course.columns() == {"t": [1, 2], "kafka": [10, 20]}
