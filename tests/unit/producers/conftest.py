from __future__ import annotations

import datetime as dt

import pytest

from commerce360.settings import Shop
from producers import history
from producers.history import History
from producers.world import World

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def past() -> History:
    return history.make(Shop(customers=1500, products=150, past_orders=3000, past_clicks=6000, past_reviews=1500), NOW)


@pytest.fixture
def world(past: History) -> World:
    return World(past.customers, past.products)
