"""A small year: the same bytes always, and statistics that are those it was made with, and not others."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from typer.testing import CliRunner

from commerce360.cli.main import app
from commerce360.errors import C360Error, ConfigError
from producers import measures, seasons, traits, year_file
from producers.measures import Row
from producers.observed import Observed
from producers.seasons import DAY_US, Calendar
from producers.truth import TRUTH, Truth
from producers.year import Plan, Year

PAGE = Path(__file__).parents[3] / "docs" / "shop-model.md"
END_US = seasons.micros(dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
SMALL = Plan(seed=7, customers=230, products=20, days=60, end_us=END_US)
YEAR = Plan(seed=1, customers=1200, products=60, days=365, end_us=END_US)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("year") / "year.jsonl.zst"
    year_file.write(YEAR, path)
    return path


@pytest.fixture(scope="module")
def happenings(file: Path) -> list[dict[str, Any]]:
    return list(year_file.read(file)[1])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(happenings: list[dict[str, Any]], truth: Truth = TRUTH) -> dict[str, Row]:
    seen = Observed(truth, Calendar(YEAR.start_us, YEAR.end_us, truth.seasons)).read(happenings)
    return {row.name: row for row in measures.measure(seen)}


def test_the_same_plan_gives_the_same_bytes_whatever_the_number_of_processes(tmp_path: Path) -> None:
    made = [year_file.write(SMALL, tmp_path / f"{n}", processes=n) for n in (1, 2)]
    assert made[0] == made[1]
    assert digest(tmp_path / "1") == digest(tmp_path / "2")
    year_file.write(replace(SMALL, seed=8), tmp_path / "other")
    assert digest(tmp_path / "other") != digest(tmp_path / "1")
    assert {p.name for p in tmp_path.iterdir()} == {"1", "2", "other"}  # nothing temporary stays


def test_a_customer_s_life_does_not_depend_on_who_else_is_there() -> None:
    few, many = Year(SMALL), Year(replace(SMALL, customers=100_000))
    assert list(few.lines_of_customer(200)) == list(many.lines_of_customer(200))


def test_lines_are_in_order_of_time_and_counted_in_the_header(file: Path, happenings: list[dict[str, Any]]) -> None:
    header = year_file.read(file)[0]
    assert header["counts"] == Counter(h["kind"] for h in happenings)
    assert (year_file.plan_of(header), header["truth"]) == (YEAR, TRUTH.digest())
    times = [h["at"] for h in happenings]
    assert times == sorted(times)
    assert times[-1] < END_US


def test_ids_are_unique_and_every_line_refers_to_what_is_known(happenings: list[dict[str, Any]]) -> None:
    ids = {"customer": "customer_id", "product": "product_id", "click": "_id", "order": "order_id", "review": "_id"}
    known: dict[str, set[Any]] = {kind: set() for kind in ids}
    for h in happenings:
        if h["kind"] in ids:
            assert h[ids[h["kind"]]] not in known[h["kind"]]
            known[h["kind"]].add(h[ids[h["kind"]]])
        if h.get("customer_id") is not None:
            assert h["customer_id"] in known["customer"]  # nothing happens to somebody who does not exist yet
        if h.get("product_id") is not None:
            assert h["product_id"] in known["product"]
        if h["kind"] == "order":
            assert {line[1] for line in h["lines"]} <= known["product"]
            assert h["order_id"].startswith("YC-" if h["visitor_id"] is None else "Y-")
        if h["kind"] == "status":
            assert h["order_id"] in known["order"]


def test_all_that_follows_from_something_does(happenings: list[dict[str, Any]]) -> None:
    seen = Observed(TRUTH, Calendar(YEAR.start_us, YEAR.end_us)).read(happenings)
    assert seen.broken == {}
    assert {o.status for o in seen.orders.values()} >= {"paid", "shipped", "cancelled", "returned"}


def test_prospects_come_before_they_have_an_account_under_the_cookie_they_keep(happenings: list[dict[str, Any]]) -> None:
    created = {h["customer_id"]: h["at"] for h in happenings if h["kind"] == "customer"}
    named = {h["visitor_id"]: h["customer_id"] for h in happenings if h["kind"] == "click" and h["customer_id"] is not None}
    early = [h for h in happenings if h["kind"] == "click" and h["at"] < created.get(named.get(h["visitor_id"], 0), 0)]
    assert len(early) > 100
    assert all(h["customer_id"] is None for h in early)


def test_a_year_is_as_its_parameters_say(happenings: list[dict[str, Any]]) -> None:
    found = rows(happenings)
    assert [row for row in found.values() if not row.ok] == []
    assert len(found) > 60


def test_what_somebody_looked_at_before_the_account_is_no_visit_of_the_customer(happenings: list[dict[str, Any]]) -> None:
    """Else those whom nobody could know yet would count as not known at once, and as carts without a login."""
    seen = Observed(TRUTH, Calendar(YEAR.start_us, YEAR.end_us)).read(happenings)
    begun = begun_by_customer(happenings)
    assert seen.counts["customers' visits", None] == sum(len(times) for times in begun.values())
    named = {h["session_id"]: h["customer_id"] is not None for h in reversed(happenings) if h["kind"] == "click"}  # by its first click
    assert seen.counts["named at once", True] == sum(named.values())


def test_visits_until_the_first_order_are_counted_once_at_the_counter_too(happenings: list[dict[str, Any]]) -> None:
    first: dict[int, dict[str, Any]] = {}
    for h in happenings:
        if h["kind"] == "order" and h["customer_id"] is not None:
            first.setdefault(h["customer_id"], h)
    counter = sum(order["visitor_id"] is None for order in first.values())
    assert counter > 5
    begun = begun_by_customer(happenings)
    visits = sum(at <= first[c]["at"] if c in first else True for c, times in begun.items() for at in times)
    assert rows(happenings)["visits a year"].sample == visits + counter


def begun_by_customer(happenings: list[dict[str, Any]]) -> dict[int, list[int]]:
    """When each visit under a customer's cookie began, from the account on."""
    account: dict[str, int] = {}
    begun: dict[int, list[int]] = defaultdict(list)
    known: set[str] = set()
    for h in happenings:
        if h["kind"] == "customer":
            account[traits.cookie_of(h["customer_id"])] = h["customer_id"]
        elif h["kind"] == "click" and h["session_id"] not in known:
            known.add(h["session_id"])
            if h["visitor_id"] in account:
                begun[account[h["visitor_id"]]].append(h["at"])
    return begun


def test_the_page_shows_all_that_is_measured_and_of_these_parameters(happenings: list[dict[str, Any]]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## A year of 100,000 customers, measured")[2]
    assert f"`{TRUTH.digest()}`" in section, "generate and check the year again"
    shown = re.findall(r"^\| ([^|]+) \| [-\d.]+ \|.*\| (ok|\*\*off\*\*) \|$", section, re.MULTILINE)
    assert set(rows(happenings)) <= {name for name, _ in shown}
    assert {verdict for _, verdict in shown} == {"ok"}


def doctored() -> Truth:
    return replace(
        TRUTH,
        seasons=replace(TRUTH.seasons, hours=tuple(reversed(TRUTH.seasons.hours)), weekdays=(13, 8, 8, 9, 10, 11, 9)),
        funnel=replace(TRUTH.funnel, visits_a_year=10.0, checkout=0.4),
        identity=replace(TRUTH.identity, anonymous=0.3),
        personas=tuple(replace(p, cart_rate=p.cart_rate * 1.2, returns=p.returns * 3) for p in TRUTH.personas),
        categories=tuple(replace(c, elasticity=0.8) for c in TRUTH.categories),
        campaigns=tuple(replace(c, conversion=1.0, share=0.1) for c in TRUTH.campaigns),
        orders=replace(TRUTH.orders, cancelled=0.1),
        quality=replace(TRUTH.quality, rating_noise=2.0),
        reviews=replace(TRUTH.reviews, sarcasm=0.4, rate=0.2),
        churn=replace(TRUTH.churn, after_bad=0.8, after_good=0.2),
        tiers=tuple(replace(t, frequency=t.frequency**4) for t in TRUTH.tiers),
    )


def test_parameters_that_it_was_not_made_with_are_found(happenings: list[dict[str, Any]]) -> None:
    found = rows(happenings, doctored())
    for name in (
        "visits by hour (chi-square)",
        "visits by weekday (chi-square)",
        "visits a year",
        "carts that go to the checkout, no campaign",
        "visits of strangers",
        "cart rate: loyal",
        "price elasticity: Clothing",
        "conversion of carts: social-video",
        "share of visits: search-brand",
        "orders cancelled",
        "correlation of rating and quality",
        "bad reviews that praise (sarcasm)",
        "lines reviewed",
        "leaves after a bad experience",
        "leaves after a good experience",
        "returns factor: loyal",
        "frequency of orders: silver",
    ):
        assert not found[name].ok, found[name]


def test_the_command_says_so_with_its_exit_code(file: Path, tmp_path: Path) -> None:
    good = CliRunner().invoke(app, ["shop", "check", str(file), "--json"])
    assert good.exit_code == 0
    told = json.loads(good.stdout)
    assert told["same_parameters"]
    assert all(row["ok"] for row in told["rows"])
    bad = tmp_path / "bad"
    year_file.write(SMALL, bad, replace(TRUTH, orders=replace(TRUTH.orders, cancelled=0.5)))
    found = CliRunner().invoke(app, ["shop", "check", str(bad)])
    assert found.exit_code == 1
    assert "| orders cancelled | 0.04 |" in found.stdout
    assert "other parameters" in found.stderr


def test_generate_writes_what_the_plan_says(tmp_path: Path) -> None:
    out = tmp_path / "made"
    options = ["--customers", "230", "--products", "20", "--days", "60", "--seed", "7", "--end", "2026-11-01", "--processes", "1"]
    done = CliRunner().invoke(app, ["shop", "generate", "--out", str(out), *options])
    assert done.exit_code == 0
    assert "rows/s" in done.stdout
    year_file.write(SMALL, tmp_path / "same")
    assert digest(out) == digest(tmp_path / "same")


def test_another_file_and_a_torn_one_are_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content in (b"", b"hello", zstandard.compress(b'{"format": 9}\n')):
        other.write_bytes(content)
        with pytest.raises(ConfigError, match="not a year"):
            year_file.read(other)
    other.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(C360Error, match=r"too early|damaged"):
        list(year_file.read(other)[1])


@pytest.mark.parametrize("wrong", [{"customers": 0}, {"products": 10**6}, {"days": 3}, {"end_us": END_US + 1}, {"end_us": DAY_US * 400}])
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        replace(SMALL, **wrong)  # type: ignore[arg-type]
