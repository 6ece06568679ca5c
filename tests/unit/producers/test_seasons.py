from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import campaigns, seasons
from producers.seasons import DAY_US, Calendar
from producers.truth import TRUTH

START = seasons.micros(dt.datetime(2026, 1, 1, 7, 23, 11, tzinfo=dt.UTC))
CALENDAR = Calendar(START, START + 365 * DAY_US)


@given(st.integers(0, 365 * 86_400_000 - 1))
def test_season_time_and_back_is_the_same_moment_to_two_milliseconds(ms: int) -> None:
    at_us = START + ms * 1000
    assert abs(CALENDAR.moment(CALENDAR.passed(at_us)) - at_us) <= 2000


def test_a_year_of_season_time_is_about_a_year_and_an_evening_is_longer_than_a_night() -> None:
    assert CALENDAR.length == pytest.approx(365, rel=0.01)
    day = START // DAY_US * DAY_US + 10 * DAY_US
    night, evening = (CALENDAR.passed(day + (h + 1) * DAY_US // 24) - CALENDAR.passed(day + h * DAY_US // 24) for h in (3, 20))
    assert evening / night == pytest.approx(TRUTH.seasons.hours[20] / TRUTH.seasons.hours[3])


def test_a_campaign_runs_its_days_of_each_cycle() -> None:
    for campaign in TRUTH.campaigns:
        runs = [campaign in campaigns.running(TRUTH, day) for day in range(20_000, 20_000 + 7 * campaign.of_days)]
        assert sum(runs) == 7 * campaign.runs_days
