"""Figures in files: what is wrong with one is said with the file's and the figure's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commerce360.capacity.figures import COSTS, PRICES, read, with_bench
from commerce360.capacity.plan import Demand, plan
from commerce360.capacity.topics import held
from commerce360.errors import ConfigError


@pytest.mark.parametrize("base", [COSTS, PRICES])
def test_each_shipped_figure_says_where_it_comes_from(base: Path) -> None:
    found = read(None, base)
    assert found
    assert all(len(f.source) > 10 and f.unit for f in found.values())
    assert found.about["date"]


def test_own_prices_are_taken_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[about]\ncurrency = "EUR"\n[core_hour]\nvalue = 0.05\nsource = "our contract"\n')
    found = read(tmp_path / "p.toml", PRICES)
    assert (found.value("core_hour"), found["core_hour"].source, found["core_hour"].example) == (0.05, "our contract", False)
    assert found["core_hour"].unit == read(None, PRICES)["core_hour"].unit
    assert found.value("credit") == read(None, PRICES).value("credit")
    assert found.about["currency"] == "EUR"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[core_hours]\nvalue = 1", "no figure core_hours"),
        ("[core_hour]\nvalue = -1", "core_hour has no value"),
        ("[core_hour]\nvalue = inf", "core_hour has no value"),
        ("[core_hour]\nvalue = true", "core_hour has no value"),
        ("[core_hour]\nprice = 1", "core_hour is no table"),
        ("[core_hour]", "core_hour has no value"),
        ("[core_hour]\nvalue = 0", "core_hour is 0"),
        ('[core_hour]\nvalue = 1\nunit = "per year"', "core_hour is in per core and hour"),
        ("core_hour = 1", "core_hour is no table"),
        ("core_hour", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read(tmp_path / "p.toml", PRICES)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read(tmp_path / "none", COSTS)


def bench(folder: Path, **files: object) -> Path:
    for name, found in files.items():
        (folder / f"{name}.json").write_text(json.dumps(found))
    return folder


REPLAY = {"cores": 2, "replay_per_s": 250_000, "replay_cpu_us": 5.0, "value_bytes": 130.0}


def test_figures_of_make_bench_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    loader, drain, chain = (
        {"throughput": {"loader_rows_per_s": 60_000}},
        {"drained_per_s": 800.0},
        {"by_chain": {"ours": {"p50_ms": 400.0}}},
    )
    found = with_bench(read(None, COSTS), bench(tmp_path, replay=REPLAY, loader=loader, drain=drain, scd2=chain))
    assert found.value("producer_us") == 5.0
    assert found.value("kafka_us") == pytest.approx(2 / 250_000 * 1e6 - 5.0)
    assert [found.value(n) for n in ("loader_rows_per_s", "lake_drain_per_s", "lake_batch_s")] == [60_000, 800, 0.4]
    assert "make bench" in found["kafka_us"].source
    assert found["lake_core_ms"].source == read(None, COSTS)["lake_core_ms"].source


def test_a_fast_drain_is_not_held_back_by_the_shipped_cost_of_a_record(tmp_path: Path) -> None:
    found = with_bench(read(None, COSTS), bench(tmp_path, drain={"drained_per_s": 4000.0}))
    assert found.value("lake_record_ms") == 0.25
    demand = Demand(100.0)
    capacity = plan(demand, found, read(None, PRICES), held()).amount("lake", "records of one driver")
    assert capacity == pytest.approx(4000 * (1 - found.value("lake_batch_s") / demand.batch_s))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("replay", {"cores": 2}),
        ("replay", {**REPLAY, "replay_per_s": 0}),
        ("loader", {"throughput": 3}),
        ("drain", {"drained_per_s": None}),
        ("scd2", {"by_chain": {"ours": {}}}),
        ("scd2", [1]),
    ],
)
def test_a_benchmark_that_is_not_complete_is_said_by_its_file(tmp_path: Path, name: str, told: object) -> None:
    with pytest.raises(ConfigError, match=rf"{name}\.json is not complete"):
        with_bench(read(None, COSTS), bench(tmp_path, **{name: told}))


def test_a_part_of_the_benchmarks_is_enough(tmp_path: Path) -> None:
    found = with_bench(read(None, COSTS), bench(tmp_path, replay=REPLAY))
    assert found["loader_rows_per_s"] == read(None, COSTS)["loader_rows_per_s"]


def test_no_benchmark_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no figures"):
        with_bench(read(None, COSTS), tmp_path)


def test_a_benchmark_that_cannot_be_right_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kafka_us would be"):
        with_bench(read(None, COSTS), bench(tmp_path, replay={**REPLAY, "replay_cpu_us": 50.0}))
