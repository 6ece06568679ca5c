"""Dashboards and windows as Tableau's XML. Places are in hundred-thousandths of the dashboard. Shape: see `datasource`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from xml.etree.ElementTree import Element

from bi.tableau.calculations import PARAMETERS
from bi.tableau.datasource import PARAMETERS_SOURCE, parameter_column
from bi.tableau.sheets import Dashboard, Sheet
from bi.tableau.xml import add, simple_id

WHOLE = 100_000
HEAD = 10_000  # height of the line with name, explanation and parameters
WIDTH, HEIGHT = "1400", "900"
PARAMETER_WIDTH = 15_000
CARDS = (("left", (("pages", "filters", "marks"),)), ("top", (("columns",), ("rows",), ("title",))))


def dashboard(parent: Element, given: Dashboard) -> None:
    made = add(parent, "dashboard", name=given.name)
    add(made, "style")
    add(made, "size", maxheight=HEIGHT, maxwidth=WIDTH, minheight=HEIGHT, minwidth=WIDTH, sizing_mode="fixed")
    if given.parameters:
        add(add(made, "datasources"), "datasource", name=PARAMETERS_SOURCE)
        needs = add(made, "datasource-dependencies", datasource=PARAMETERS_SOURCE)
        for parameter in PARAMETERS:
            if parameter.name in given.parameters:
                parameter_column(needs, parameter)
    ids = count(1)
    outer = _zone(add(made, "zones"), ids, 0, 0, WHOLE, WHOLE, type_v2="layout-basic")
    _head(outer, ids, given)
    y = HEAD
    for share, names in given.grid:
        height = (WHOLE - HEAD) * share // 100
        width = WHOLE // len(names)
        for place, name in enumerate(names):
            _zone(outer, ids, place * width, y, width, height, name=name)
        y += height
    simple_id(made, "dashboard", given.name)


def windows(parent: Element, dashboards: Sequence[Dashboard], sheets: Sequence[Sheet]) -> None:
    """The dashboards as tabs, the first one open; sheets are hidden behind them."""
    made = add(parent, "windows", source_height="30")
    for given in dashboards:
        window = add(made, "window", class_="dashboard", name=given.name, **({"maximized": "true"} if given is dashboards[0] else {}))
        viewpoints = add(window, "viewpoints")
        for _, names in given.grid:
            for name in names:
                add(add(viewpoints, "viewpoint", name=name), "zoom", type="entire-view")
        add(window, "active", id="-1")
        simple_id(window, "window", given.name)
    for sheet in sheets:
        window = add(made, "window", class_="worksheet", hidden="true", name=sheet.name)
        cards = add(window, "cards")
        for edge, strips in CARDS:
            side = add(cards, "edge", name=edge)
            for strip in strips:
                held = add(side, "strip", size="160" if edge == "left" else "2147483647")
                for card in strip:
                    add(held, "card", type=card)
        simple_id(window, "window", sheet.name)


def _head(outer: Element, ids: count[int], given: Dashboard) -> None:
    width = WHOLE - PARAMETER_WIDTH * len(given.parameters)
    text = add(_zone(outer, ids, 0, 0, width, HEAD, type_v2="text"), "formatted-text")
    add(text, "run", f"{given.name}\n", bold="true", fontsize="18")
    add(text, "run", given.about, fontsize="11")
    for place, name in enumerate(given.parameters):
        x = width + place * PARAMETER_WIDTH
        _zone(outer, ids, x, 0, PARAMETER_WIDTH, HEAD, mode="slider", param=f"[{PARAMETERS_SOURCE}].[{name}]", type_v2="paramctrl")


def _zone(parent: Element, ids: count[int], x: int, y: int, w: int, h: int, **attributes: str) -> Element:
    return add(parent, "zone", h=str(h), id=str(next(ids)), w=str(w), x=str(x), y=str(y), **attributes)
