"""The page of all `c360 connect` commands, made from the commands themselves: `python -m commerce360.cli.reference` writes it."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

PAGE = Path(__file__).parents[2] / "docs" / "connect-cli.md"
HEAD = "<!-- Made by `make docs` from the commands; edit those. -->\n\n"


def connect() -> str:
    """Markdown, the same on every machine."""
    from commerce360.cli.main import app

    root = get_command(app)
    command = root.commands["connect"]  # type: ignore[attr-defined]
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="connect"), name="c360 connect")
    return HEAD + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(connect(), encoding="utf-8")
