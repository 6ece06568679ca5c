"""The view "Customer 360" in a real browser, over the local warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shown_board as shown
from playwright.sync_api import Browser, Route, expect
from playwright.sync_api import Page as Tab
from shown_warehouse import local_warehouse

from bi.dashboard import customers
from commerce360.settings import Warehouse

pytestmark = pytest.mark.browser
WIDTHS = [1280, 400]
Look = Callable[..., Tab]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with local_warehouse(tmp_path_factory.mktemp("warehouse360")) as settings:
        yield settings


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, warehouse: Warehouse) -> Iterator[shown.Page]:
    with shown.Page(tmp_path_factory.mktemp("page360"), shown.live, 30, warehouse) as served:
        served.show_orders()
        yield served


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    """Opens a tab of the given width; at the end nothing may have been refused or have failed in it."""
    opened: list[tuple[Tab, list[str]]] = []

    def open_tab(page: shown.Page, where: str = "#360", width: int = 1280, problems: bool = False) -> Tab:
        tab = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce").new_page()
        said: list[str] = []
        opened.append((tab, [] if problems else said))
        tab.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.url + where)
        expect(tab.locator("#connection")).to_have_text("connected")
        return tab

    yield open_tab
    for tab, said in opened:
        fits = tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        tab.context.close()
        assert (fits, said) == (True, [])


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tab_shows_whom_to_look_at_and_how_the_shop_does(page: shown.Page, look: Look, width: int) -> None:
    tab = look(page, "", width)
    expect(tab.get_by_role("link", name="Live")).to_have_attribute("aria-current", "page")
    tab.get_by_role("link", name="Customer 360").click()
    expect(tab.locator("#view-live")).to_be_hidden()
    expect(tab.locator(".person .name").first).to_have_text("Ines Albrecht-Roth")  # highest risk, then value
    expect(tab.locator(".person .risk")).to_have_text(["high risk", "high risk", "medium risk", "low risk", "low risk", "low risk"])
    expect(tab.locator("#funnel-steps b")).to_have_text(["640", "320", "160", "128"])
    tab.get_by_label("All days").check()
    expect(tab.locator("#funnel-steps b")).to_have_text(["1,280", "640", "320", "256"])
    expect(tab.locator("#funnel-rows tr").first.locator("td")).to_have_text(["800", "400", "200", "160", "20.0 %"])
    expect(tab.locator(".of-shop canvas")).to_have_count(2)
    expect(tab.locator("#minutes .legend b")).to_have_text(re.compile(r"^[\d,]+\.\d\d EUR$"))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_customer_has_a_card_and_a_timeline_newest_first(page: shown.Page, look: Look, width: int) -> None:
    tab = look(page, "#360", width)
    tab.locator(".person").first.click()
    expect(tab.locator("#customer-title")).to_have_text("Ines Albrecht-Roth")
    expect(tab.locator("#customer-who")).to_contain_text("i***@example.org")
    expect(tab.locator(".traits .value").first).to_have_text("1,840.50 EUR")
    expect(tab.locator("#customer-leaving")).to_contain_text("Risk to leave: high, 85 of 100 points")
    expect(tab.locator("#customer-leaving li")).to_have_text(
        ["No order for longer than usual.", "The last order came back.", "The last review has one or two stars."]
    )
    events = tab.locator(".event")
    expect(events).to_have_count(12)  # 3 visits, 3 orders, 3 reviews, 3 tiers
    times = events.locator("time").evaluate_all("nodes => nodes.map((n) => n.dateTime)")
    assert times == sorted(times, reverse=True)
    assert len(times) == 12
    expect(tab.locator("[data-kind=visit] .mood")).to_have_text(["ordered", "cart left behind", "no order"])
    expect(tab.locator("[data-kind=tier] .title")).to_have_text(
        ["From silver to gold", "From bronze to silver", "Account known, tier bronze"]
    )
    moods = tab.locator("[data-kind=review] .mood")
    expect(moods).to_have_text(["words not scored yet", "negative (-0.64)", "positive (0.82)"])
    assert len(set(moods.evaluate_all("nodes => nodes.map((n) => getComputedStyle(n).color)"))) == 3
    expect(tab.locator("[data-kind=review] .words").last).to_have_text("Great: Warm and light <b>as air</b>.")


@pytest.mark.parametrize(
    ("text", "found"),
    [("503", ["Chiara Fontana"]), ("WÓJ", ["Mateusz Wójcik"]), ("%", []), ("' OR 1=1 --", []), ("an", ["Chiara Fontana"])],
)
def test_a_search_finds_by_number_and_by_a_part_of_the_name(page: shown.Page, look: Look, text: str, found: list[str]) -> None:
    tab = look(page)
    expect(tab.locator(".person")).to_have_count(6)
    tab.get_by_label("Find a customer").fill(text)
    expect(tab.locator("#people-title")).to_have_text(f"Customers with “{text}”")
    expect(tab.locator(".person .name")).to_have_text(found)
    if not found:
        expect(tab.get_by_text("No customer with this number, name or e-mail.")).to_be_visible()


def test_the_keyboard_goes_to_a_customer_and_back_and_a_refresh_does_not_steal_the_focus(page: shown.Page, look: Look) -> None:
    tab = look(page)
    person = tab.locator(".person", has_text="Mateusz")
    person.focus()
    with tab.expect_response("**/api/customers"):
        pass  # asked again by itself
    expect(person).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#customer-title")).to_be_focused()
    tab.keyboard.press("Shift+Tab")
    expect(tab.get_by_role("link", name="All customers")).to_be_focused()
    with tab.expect_response("**/api/customers/502"):
        pass
    expect(tab.get_by_role("link", name="All customers")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(person).to_be_focused()


def test_a_customer_that_nobody_knows_is_said(page: shown.Page, look: Look) -> None:
    tab = look(page, "#360/999", problems=True)
    expect(tab.locator("#customers-notice")).to_have_text("The warehouse has no such customer (yet).")
    expect(tab.locator("#customer")).to_be_hidden()


def test_ratings_that_are_none_of_five_stars_do_not_stop_the_page(page: shown.Page, look: Look) -> None:
    ratings = iter([7, -2, None])
    answered = []

    def odd(route: Route) -> None:
        told = route.fetch().json()
        if not answered:
            for event in told["timeline"]:
                if event["kind"] == "review":
                    event["rating"] = next(ratings)
        answered.append(told)
        route.fulfill(json=told)

    tab = look(page, "")
    tab.route("**/api/customers/501", odd)
    tab.goto(page.url + "#360/501")
    expect(tab.locator("[data-kind=review] .title")).to_have_text(
        [re.compile("^★★★★★ 7 of 5"), re.compile("^☆{5} -2"), re.compile("^☆{5} no")]
    )
    expect(tab.locator("[data-kind=review] .title").last).to_have_text(re.compile("^★★★★★ 5 of 5"))  # of the next answer


def test_an_answer_that_cannot_be_drawn_is_said_and_asked_for_again(page: shown.Page, look: Look) -> None:
    answered = []

    def broken(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told if answered else {**told, "timeline": None})
        answered.append(told)

    tab = look(page, "", problems=True)
    tab.route("**/api/customers/501", broken)
    tab.goto(page.url + "#360/501")
    expect(tab.locator("#customers-notice")).to_have_text("The page cannot show this answer.")
    expect(tab.locator(".event")).to_have_count(12)
    expect(tab.locator("#customers-notice")).to_be_hidden()


def test_a_busy_warehouse_is_said_and_the_answer_comes_by_itself(page: shown.Page, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "TURN_S", 0.2)
    with page.customers._alone:
        tab = look(page, "#360/501", problems=True)
        told = "The warehouse is busy with earlier questions, and this one comes again by itself."
        expect(tab.locator("#customers-notice")).to_have_text(told)
        expect(tab.locator("#shop-notice")).to_have_text(told)
    expect(tab.locator("#customer-title")).to_have_text("Ines Albrecht-Roth")
    expect(tab.locator("#customers-notice")).to_be_hidden()


def test_without_a_warehouse_the_tab_says_so_and_the_live_view_lives_on(tmp_path: Path, look: Look) -> None:
    with shown.Page(tmp_path, shown.live) as alone:
        alone.show_orders()
        tab = look(alone, problems=True)
        expect(tab.locator("#customers-notice")).to_have_text("The warehouse does not answer just now.")
        expect(tab.locator("#shop-notice")).to_have_text("The warehouse does not answer just now.")
        tab.get_by_role("link", name="Live").click()
        expect(tab.locator(".order")).to_have_count(12)
        expect(tab.locator("#throughput canvas")).to_be_visible()
