"""What a rate takes: units, bounds and sums of the reckoning, whatever the figures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce360.capacity import tiers
from commerce360.capacity.figures import COSTS, PRICES, Figures, read
from commerce360.capacity.plan import HOURS, Broker, Demand, Plan, examples, plan, whole
from commerce360.capacity.topics import held
from commerce360.errors import ConfigError

TOPICS = held()
KNOWN, PRICED = read(None, COSTS), read(None, PRICES)
RATES = st.floats(0.01, 3e8)
BROKERS = st.sampled_from(["eventhubs", "kafka"])


def planned(rate: float, broker: Broker = "eventhubs", costs: Figures = KNOWN, **more: float) -> Plan:
    return plan(Demand(rate, broker=broker, **more), costs, PRICED, TOPICS)  # type: ignore[arg-type]


def changed(figures: Figures, **values: float) -> Figures:
    return Figures({**figures, **{k: replace(figures[k], value=v) for k, v in values.items()}}, figures.about)


@given(RATES, st.floats(1, 10), BROKERS)
def test_more_events_never_take_less_nor_cost_less(rate: float, more: float, broker: Broker) -> None:
    small, large = planned(rate, broker), planned(min(rate * more, 3.3e8), broker)
    for before, after in zip(small.lines, large.lines, strict=True):
        if before.what != "one job would need":
            assert after.amount >= before.amount * (1 - 1e-9), before.what
    for cheap, dear in zip(small.costs, large.costs, strict=True):
        if "beyond what is included" in cheap.item:  # one unit more includes more
            continue
        assert dear.per_month >= cheap.per_month * (1 - 1e-9), cheap.item


@given(RATES, st.floats(1, 3), BROKERS)
def test_nothing_that_is_counted_is_less_than_one_or_in_parts(rate: float, peak: float, broker: Broker) -> None:
    made = planned(rate, broker, peak_factor=peak)
    counted = {"partitions", "brokers", "PU", "TU", "tasks", "jobs", "cores", "channels", "processes", "namespaces"}
    lines = [line for line in made.lines if line.unit in counted]
    assert {line.unit for line in lines} >= counted - {"brokers", "PU", "namespaces"}
    assert all(line.amount >= 1 and line.amount == int(line.amount) for line in lines)
    assert made.amount("topics", "partitions") >= sum(t.partitions for t in TOPICS)


@given(RATES, BROKERS)
def test_the_month_is_the_sum_of_its_items(rate: float, broker: Broker) -> None:
    made = planned(rate, broker)
    assert made.per_month == pytest.approx(sum(c.quantity * c.price for c in made.costs))
    shown = made.as_json()
    assert sum(c["per_month"] for c in shown["costs"]) == pytest.approx(shown["per_month"])
    assert all(math.isfinite(c.per_month) and c.per_month >= 0 for c in made.costs)


@given(RATES)
def test_units_of_event_hubs_can_be_bought_and_suffice(rate: float) -> None:
    made = planned(rate)
    units, namespaces = made.amount("broker", "Event Hubs Premium"), made.amount("broker", "namespaces")
    assert units / namespaces in tiers.PREMIUM.units
    assert units * tiers.PU_IN_MB_S >= made.amount("topics", "at the peak") * (1 - 1e-6)
    assert units * 200 >= made.amount("topics", "partitions")
    assert made.costs[0].quantity == units * HOURS


@pytest.mark.parametrize(
    ("amount", "expected"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.1, 2), (3 * 1.1 / 1.1, 3), (2.9999999999, 3), (7.00000001, 8)]
)
def test_whole(amount: float, expected: int) -> None:
    assert whole(amount) == expected


def test_units_by_hand() -> None:
    """10,000 events/s of 250 bytes, a peak of 2: 5 MB/s; 0.7 of 2,000 records/s for a driver of half a millisecond."""
    costs = changed(
        KNOWN, record_bytes=250, lake_record_ms=0.5, lake_drain_per_s=1e6, lake_batch_s=1e-9, lake_core_ms=2.0, warehouse_rows=3
    )
    made = planned(10_000, costs=costs, peak_factor=2)
    assert made.amount("topics", "at the peak") == pytest.approx(5.0)
    assert made.amount("broker", "Event Hubs Premium") == 1
    assert made.amount("broker", "Event Hubs Standard would be") == 20  # events, not bytes, bound it
    assert made.amount("broker", "kept") == pytest.approx(10_000 * 250 * 7 * 86_400 / 1e9)
    assert made.amount("lake", "jobs") == math.ceil(20_000 / (2_000 * 0.7))
    assert made.amount("lake", "Spark cores") == math.ceil(20_000 * 0.002 / 0.7)
    assert made.amount("warehouse", "rows at the peak") == 60_000
    assert made.amount("lake", "one job would need") == pytest.approx(0.7 / 20_000 * 1e6)


def test_a_small_rate_fits_the_design_and_says_nothing() -> None:
    made = planned(100)
    assert made.warnings == []
    assert made.amount("lake", "jobs") == 1


def test_what_the_design_cannot_do_is_said() -> None:
    text = " ".join(planned(1_000).warnings)
    assert "another design" in text
    assert "partitions in each topic" in " ".join(planned(10_000).warnings)
    text = " ".join(planned(1_000_000).warnings)
    assert "at most 100 partitions" in text
    assert "sharded" in text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"events_per_s": 0}, "events_per_s"),
        ({"events_per_s": -5}, "events_per_s"),
        ({"events_per_s": math.nan}, "events_per_s"),
        ({"events_per_s": math.inf}, "events_per_s"),
        ({"events_per_s": 1e9}, "peak"),
        ({"peak_factor": 0.5}, "peak_factor"),
        ({"keep_months": 0}, "keep_months"),
        ({"retention_days": 91}, "90 days"),
        ({"batch_s": -1}, "batch_s"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Demand(**{"events_per_s": 1_000, **wrong})  # type: ignore[arg-type]


def test_a_batch_shorter_than_its_own_cost_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_s") as refused:
        planned(10, batch_s=0.25)
    assert "before its first record" in refused.value.hint


def test_a_kafka_of_your_own_may_keep_longer_than_event_hubs() -> None:
    assert planned(10, "kafka", retention_days=365).amount("broker", "Kafka brokers") == 3


def test_what_is_assumed_is_told() -> None:
    told = list(examples(KNOWN, PRICED))
    assert any(t.startswith("connect_records_per_s = 2000") for t in told)
    assert any(t.startswith("eventhubs_pu_hour") for t in told)
    assert not any(t.startswith("kafka_us") for t in told)
