"""The files: `commerce360.tds`, the data source over the star, and `commerce360.twb`, the workbook. The same bytes each time. Pure."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from bi.tableau import dashboard, datasource
from bi.tableau.answers import ANSWERS
from bi.tableau.calculations import CALCULATIONS
from bi.tableau.connection import query_tag
from bi.tableau.environments import Environment
from bi.tableau.model import fields
from bi.tableau.sheets import DASHBOARDS, SHEETS, STAR
from bi.tableau.worksheet import Source, worksheet
from bi.tableau.xml import VERSION, add, document

NAME = "commerce360"
DATASOURCE, WORKBOOK = f"{NAME}.tds", f"{NAME}.twb"
FILES = Path(__file__).parent / "files"


def build(environment: Environment) -> dict[str, bytes]:
    """Content of each file by its name."""
    return {DATASOURCE: document(star_file(environment)), WORKBOOK: document(workbook_file(environment))}


def star_file(environment: Environment) -> Element:
    root = Element("datasource")
    names = {"formatted-name": datasource.STAR, "inline": "true", "source-platform": "win", "version": VERSION}
    root.attrib.update(names)
    datasource.star(root, environment, query_tag(datasource=NAME))
    return root


def workbook_file(environment: Environment) -> Element:
    root = Element(
        "workbook", {"original-version": VERSION, "source-build": "0.0.0 (0000.0.0.0)", "source-platform": "win", "version": VERSION}
    )
    add(add(root, "document-format-change-manifest"), "ManifestByVersion")
    tag = query_tag(workbook=NAME)
    held = add(root, "datasources")
    datasource.parameters(held)
    known = sources()
    for name, source in known.items():
        made = add(held, "datasource", caption=source.caption, inline="true", name=source.name, version=VERSION)
        if name == STAR:
            datasource.star(made, environment, tag)
        else:
            datasource.answer(made, next(a for a in ANSWERS if a.name == name), environment, tag)
    sheets = add(root, "worksheets")
    for sheet in SHEETS:
        worksheet(sheets, sheet, known[sheet.source])
    boards = add(root, "dashboards")
    for board in DASHBOARDS:
        dashboard.dashboard(boards, board)
    dashboard.windows(root, DASHBOARDS, SHEETS)
    explain = {"enabled-for-viewer": "true", "extreme-values-enabled-for-all": "false"}
    add(add(root, "explain-data", **explain), "explanation-types")
    return root


def sources() -> dict[str, Source]:
    """Data sources of the workbook: the star, and each answer by the name of its file."""
    star = Source(datasource.STAR, datasource.STAR_CAPTION, {f.name: f for f in (*fields(), *CALCULATIONS)})
    answers = {a.name: Source(datasource.source_name(a), a.caption, {f.name: f for f in a.fields}) for a in ANSWERS}
    return {STAR: star, **answers}
