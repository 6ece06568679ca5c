"""The live page in a real browser, served by its real app over plausible content and the local warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shown_board as shown
from playwright.sync_api import Browser, Locator, expect
from playwright.sync_api import Page as Tab
from shown_warehouse import local_warehouse

from bi.dashboard.board import Board
from commerce360.settings import Warehouse

pytestmark = pytest.mark.browser
WIDTHS = [1280, 400]
REFUSED = "Content Security Policy"
WATCH_POLICY = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective + " " + e.blockedURI));
"""


class Seen:
    """A tab with what its console said."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.problems: list[str] = []
        tab.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.add_init_script(WATCH_POLICY)

    def all_well(self) -> None:
        assert self.tab.evaluate("window.violations") == []
        assert self.problems == []

    def fits(self) -> None:
        assert self.tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with local_warehouse(tmp_path_factory.mktemp("warehouse")) as settings:
        yield settings


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., shown.Page]]:
    """Pages that end with the test."""
    served: list[shown.Page] = []

    def start(fill: Callable[[Board, float], None], past_s: int = 0, warehouse: Warehouse | None = None) -> shown.Page:
        page = shown.Page(tmp_path / str(len(served)), fill, past_s, warehouse)
        if fill is not shown.starting:
            page.show_orders()
        served.append(page.__enter__())
        return page

    yield start
    for page in served:
        page.__exit__(None, None, None)


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Seen]]:
    contexts = []

    def open_tab(page: shown.Page, width: int = 1280) -> Seen:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce"))
        seen = Seen(contexts[-1].new_page())
        seen.tab.goto(page.url)
        expect(seen.tab.locator("#connection")).to_have_text("connected")
        return seen

    yield open_tab
    for context in contexts:
        context.close()


Serve, Look = Callable[..., shown.Page], Callable[..., Seen]


def held_by(tab: Tab) -> Locator:
    return tab.locator("#orders-note")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_empty_stack_is_shown_with_words(serve: Serve, look: Look, width: int) -> None:
    seen = look(serve(shown.starting), width)
    tab = seen.tab
    expect(tab.locator("#phase-title")).to_have_text("Starting")
    expect(tab.locator("#phase-detail")).to_have_text("5 of 8 services are ready; waiting for lake and connect.")
    expect(tab.get_by_text("No order has reached the lake yet.")).to_be_visible()
    expect(tab.get_by_text("Nothing has moved in the last five minutes.")).to_have_count(2)
    expect(tab.locator("#report")).to_contain_text("Not yet.")
    seen.fits()
    seen.all_well()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_live_stack_is_shown_in_all_sections(serve: Serve, look: Look, width: int) -> None:
    seen = look(serve(shown.live, past_s=300), width)
    tab = seen.tab
    expect(tab.locator("#phase-title")).to_have_text("Live")
    expect(tab.locator(".number")).to_have_count(7)
    expect(tab.locator("[data-id=customers] .value")).to_have_text("2,018")
    expect(tab.locator(".stage h3")).to_have_text(["Sources", "Kafka", "Lake", "Warehouse"])
    expect(tab.locator(".stage .health")).to_have_text(["Healthy"] * 4)
    expect(tab.locator(".stage[data-stage=lake] .rate b")).to_have_text(re.compile(r"^\d{2,3}$"))
    expect(tab.locator(".stage[data-stage=warehouse] .delay dd")).to_have_text(re.compile(r"^[12]\.\d\d s$"))
    expect(tab.locator(".plot canvas")).to_have_count(2)
    expect(tab.locator("#throughput .legend b").first).to_have_text(re.compile(r"^\d+"))
    expect(tab.locator(".order")).to_have_count(12)
    expect(tab.locator("#services tr")).to_have_count(10)
    expect(tab.locator("#services tr").nth(3)).to_contain_text("kafka")
    seen.fits()
    seen.all_well()


def test_stages_stand_in_a_row_and_are_stacked_on_a_phone(serve: Serve, look: Look) -> None:
    page = serve(shown.live)
    wide, narrow = look(page, 1280).tab, look(page, 400).tab
    expect(narrow.locator(".stage")).to_have_count(4)
    across = [box["y"] for each in wide.locator(".stage").all() if (box := each.bounding_box())]
    down = [box["x"] for each in narrow.locator(".stage").all() if (box := each.bounding_box())]
    assert (len(across), len(set(across))) == (4, 1)
    assert (len(down), len(set(down))) == (4, 1)


def test_lines_are_drawn_in_the_charts(serve: Serve, look: Look) -> None:
    tab = look(serve(shown.live, past_s=120)).tab
    color = "getComputedStyle(document.documentElement).getPropertyValue('--warehouse')"
    drawn = f"""() => [...document.querySelectorAll('.plot canvas')].every((canvas) => {{
        const probe = document.createElement('canvas').getContext('2d');
        probe.fillStyle = {color}; probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) return true;
        return false;
    }})"""
    tab.wait_for_function(drawn)


@pytest.mark.parametrize("width", WIDTHS)
def test_equal_stages_are_reported_table_by_table(serve: Serve, look: Look, width: int) -> None:
    seen = look(serve(shown.reconciled), width)
    tab = seen.tab
    expect(tab.locator("#phase-title")).to_have_text("Reconciled")
    expect(tab.locator("[data-id=lost] .value")).to_have_text("0 / 0")
    expect(tab.locator(".verdict p")).to_have_text("All stages are equal")
    sales = tab.locator(".ledger tr", has=tab.get_by_role("rowheader", name="fct_sales")).first
    expect(sales.locator("td")).to_have_text(["19,844"] * 5 + ["equal"])
    tab.get_by_role("link", name="See the report").click()
    expect(tab.locator("#report-title")).to_be_in_viewport()
    seen.fits()
    seen.all_well()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_lost_row_is_named(serve: Serve, look: Look, width: int) -> None:
    seen = look(serve(lambda board, now: shown.reconciled(board, now, equal=False)), width)
    expect(seen.tab.locator("#phase-title")).to_have_text("Differences")
    expect(seen.tab.locator("[data-id=lost] .value")).to_have_text("1 / 0")
    expect(seen.tab.get_by_text("fct_sales W-1-1226/2: missing in warehouse (against gold)")).to_be_visible()
    seen.fits()
    seen.all_well()


def test_a_service_that_died_is_shown_at_its_stage_and_in_the_table(serve: Serve, look: Look) -> None:
    died = {"state": "restarting", "ready": False, "restarts": 1}
    tab = look(serve(lambda board, now: shown.live(board, now, lake=died))).tab
    expect(tab.locator("#phase-title")).to_have_text("Recovering")
    expect(tab.locator(".stage[data-stage=lake] .health")).to_have_text("Recovering")
    expect(tab.locator("#services tr", has_text="lake")).to_contain_text("restarting")


def test_nothing_moves_when_values_and_states_change(serve: Serve, look: Look) -> None:
    def places() -> list[float]:
        return [box["y"] for name in (".numbers", ".stages", ".charts", ".columns", "#report") if (box := tab.locator(name).bounding_box())]

    page = serve(shown.live)
    tab = look(page).tab
    expect(tab.locator(".stage .health")).to_have_text(["Healthy"] * 4)
    before = places()
    died = {"state": "restarting", "ready": False, "restarts": 1}
    page.fill = lambda board, now: shown.live(board, now, mongo=died, connect=died, lake=died, loader=died)
    expect(tab.locator(".stage .health")).to_have_text(["Recovering"] * 4)
    assert len(before) == 5
    assert places() == before


@pytest.mark.parametrize("width", WIDTHS)
def test_a_click_on_an_order_shows_its_path_and_what_the_warehouse_says(serve: Serve, look: Look, warehouse: Warehouse, width: int) -> None:
    seen = look(serve(shown.live, warehouse=warehouse), width)
    tab = seen.tab
    tab.locator(".order", has_text="W-1-1231").click()
    panel = tab.get_by_role("dialog")
    expect(panel.get_by_role("heading", name="W-1-1231")).to_be_visible()
    expect(panel.locator(".steps b")).to_have_text(
        ["Placed at the web shop", "In Kafka", "Taken up by the lake", "In gold", "Queryable in the warehouse"]
    )
    expect(panel.locator(".steps .gap")).to_have_text(["", "+ 23 ms", "+ 407 ms", "+ 870 ms", "+ 600 ms"])
    expect(panel.locator(".lines tbody tr")).to_contain_text(["Cast iron pan 28 cm"])
    expect(panel.locator(".changes li")).to_contain_text(["paid"])
    expect(panel.locator(".versions [data-then=true]")).to_contain_text("bronze")  # silver since, but not at the order
    expect(panel.locator(".check [data-same=true]")).to_have_count(4)
    expect(panel.locator(".check")).to_contain_text(re.compile(r"The same as in the lake\. The query took .* m?s\."))
    box = panel.bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= width) == (True, True)
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    seen.fits()
    seen.all_well()


def test_the_keyboard_opens_an_order_escape_closes_it_and_focus_goes_back(serve: Serve, look: Look, warehouse: Warehouse) -> None:
    tab = look(serve(shown.live, warehouse=warehouse)).tab
    tab.locator(".order").first.focus()
    tab.keyboard.press("Tab")
    row = tab.locator(".order", has_text="W-1-1237")
    expect(row).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog").locator(".steps li")).to_have_count(5)
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_be_hidden()
    expect(row).to_be_focused()


def test_an_order_that_gold_lacks_and_a_warehouse_that_is_away_are_said_clearly(serve: Serve, look: Look) -> None:
    page = serve(shown.live)
    unknown = page.arrive()
    tab = look(page).tab
    tab.locator(".order", has_text=unknown).click()
    expect(tab.get_by_role("alert")).to_have_text("Gold has no such order (yet).")
    expect(tab.get_by_role("button", name="Try again")).to_be_visible()
    tab.keyboard.press("Escape")
    tab.locator(".order", has_text="W-1-1231").click()
    expect(tab.get_by_role("dialog").locator(".steps li")).to_have_count(5)
    expect(tab.get_by_text("The warehouse does not answer just now.")).to_be_visible()


def test_an_order_on_its_way_is_followed_until_the_warehouse_has_it(serve: Serve, look: Look) -> None:
    def behind(board: Board, now: float) -> None:
        shown.live(board, now)
        board.shown = shown.Shown()

    page = serve(behind)
    tab = look(page).tab
    tab.locator(".order", has_text="W-1-1231").click()
    last = tab.locator(".steps li").last
    expect(last).to_contain_text("not yet")
    page.fill = shown.live
    expect(last).to_contain_text("+ 600 ms")


def test_a_new_order_comes_first_but_the_list_stands_still_under_a_pointer(serve: Serve, look: Look) -> None:
    page = serve(shown.live)
    tab = look(page).tab
    expect(tab.locator(".order .id").first).to_have_text("W-1-1240")
    tab.locator(".order").nth(2).hover()
    new = page.arrive()
    expect(held_by(tab)).to_have_text("held while you choose")
    expect(tab.locator(".order .id").first).to_have_text("W-1-1240")
    tab.locator("#stages-title").hover()
    expect(tab.locator(".order .id").first).to_have_text(new)
    expect(tab.locator(".order")).to_have_count(12)


def test_a_lost_stream_is_said_and_found_again(serve: Serve, look: Look) -> None:
    page = serve(shown.live, past_s=60)
    seen = look(page)
    page.pause()
    expect(seen.tab.locator("#connection")).to_have_text("reconnecting")
    expect(seen.tab.locator(".order")).to_have_count(12)  # the last state stays
    page.fill = shown.reconciled
    page.resume()
    expect(seen.tab.locator("#connection")).to_have_text("connected")
    expect(seen.tab.locator("#phase-title")).to_have_text("Reconciled")
    assert not any(REFUSED in text for text in seen.problems)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_color_schemes(browser: Browser, serve: Serve, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text. Colours are the tokens that text is written in, against the surfaces it stands on."""
    page = serve(shown.live)
    context = browser.new_context(color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page.url)
    ratios = tab.evaluate(
        """() => {
            const css = getComputedStyle(document.documentElement);
            const light = (name) => {
                const probe = document.createElement('canvas').getContext('2d');
                probe.fillStyle = css.getPropertyValue(name); probe.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3)
                    .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const texts = ['kafka', 'lake', 'warehouse', 'text', 'muted', 'accent', 'ok', 'warn', 'bad', 'info'];
            const surfaces = ['card', 'page', 'sunk'];
            return Object.fromEntries(texts.flatMap((t) => surfaces.map((s) => {
                const [a, b] = [light(`--${t}`), light(`--${s}`)];
                return [`${t} on ${s}`, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
            })));
        }"""
    )
    context.close()
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}
