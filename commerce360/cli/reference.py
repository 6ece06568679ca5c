"""Pages and SQL made from the code: commands, the shop's parameters, migrations. `python -m commerce360.cli.reference` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from warehouse import account, generated, scripts

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "connect-cli.md"
SHOP_PAGE = DOCS / "shop-model.md"
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


if __name__ == "__main__":
    PAGE.write_text(connect(), encoding="utf-8")
    SHOP_PAGE.write_text(shop_model(), encoding="utf-8")
    account.FILE.write_text(account.text(), encoding="utf-8")
    generated.write(scripts.FOLDER)
