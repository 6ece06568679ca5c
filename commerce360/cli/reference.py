"""Pages and SQL made from the code: all `c360 connect` commands, the shop's parameters, metrics, capacities, the star, migrations, account.

`python -m commerce360.cli.reference` writes them.
"""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from commerce360.telemetry import page as metrics_page
from warehouse import account, generated, scripts

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "connect-cli.md"
SHOP_PAGE = DOCS / "shop-model.md"
METRICS_PAGE = DOCS / "observability.md"
SCALE_PAGE = DOCS / "scale.md"
EVENT_HUBS_PAGE = DOCS / "event-hubs.md"
STAR_PAGE = DOCS / "warehouse-model.md"
STAR_PICTURE = DOCS / "star.svg"
HEAD = "<!-- Made by `make docs` from the commands; edit those. -->\n\n"


def connect() -> str:
    """Markdown, the same on every machine."""
    from commerce360.cli.main import app

    root = get_command(app)
    command = root.commands["connect"]  # type: ignore[attr-defined]
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="connect"), name="c360 connect")
    return HEAD + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def shop_model() -> str:
    """The page as it is, with its tables of parameters made anew."""
    from producers import truth_page

    return truth_page.put_into(SHOP_PAGE.read_text(encoding="utf-8"))


def metrics() -> str:
    """The page as it is, with its tables of metrics made anew."""
    return metrics_page.put_into(METRICS_PAGE.read_text(encoding="utf-8"))


def capacity() -> dict[Path, str]:
    """The pages as they are, with what is reckoned made anew."""
    from commerce360.capacity import page

    makers = {SCALE_PAGE: page.scale, EVENT_HUBS_PAGE: page.event_hubs}
    return {file: make(file.read_text(encoding="utf-8")) for file, make in makers.items()}


def star() -> dict[Path, str]:
    """The script for SqlDBM, the picture, and the page as it is, with its diagrams made anew."""
    from warehouse.model import export, mermaid, picture

    page = mermaid.put_into(STAR_PAGE.read_text(encoding="utf-8"))
    return {export.FILE: export.script(), STAR_PICTURE: picture.svg(), STAR_PAGE: page}


if __name__ == "__main__":
    PAGE.write_text(connect(), encoding="utf-8")
    SHOP_PAGE.write_text(shop_model(), encoding="utf-8")
    METRICS_PAGE.write_text(metrics(), encoding="utf-8")
    for file, text in {**star(), **capacity()}.items():
        file.write_text(text, encoding="utf-8")
    account.FILE.write_text(account.text(), encoding="utf-8")
    generated.write(scripts.FOLDER)
