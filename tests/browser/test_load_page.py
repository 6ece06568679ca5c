"""The page of a load test's result in a real browser: it loads nothing, says nothing on the console, and fits narrow screens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from commerce360.load import html

sys.path.append(str(Path(__file__).parents[1] / "unit" / "load"))
from simulated import Shape, simulated  # another tier's builder

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_alone(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    html.write(simulated(Shape(stopped=(60.0, 90.0), lost=10), "<b>catch-up</b>"), tmp_path / "run.html")
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda m: said.append(m.text))
    tab.on("pageerror", lambda e: said.append(str(e)))
    tab.on("request", lambda r: asked.append(r.url))
    tab.goto((tmp_path / "run.html").as_uri())
    assert said == []
    assert asked == [(tmp_path / "run.html").as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.locator("h1").inner_text().startswith("<b>catch-up</b>")
    assert tab.locator("figure:visible svg").count() >= 20
    colours = tab.locator(".legend li").evaluate_all("all => all.map(li => getComputedStyle(li, '::before').borderTopColor)")
    assert len(set(colours)) >= 5
    tab.close()
