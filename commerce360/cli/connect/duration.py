"""Durations as people type them."""

from __future__ import annotations

import re

import typer

UNITS_S = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|)")


def seconds(text: str) -> float:
    """`500ms`, `10s`, `2m`, `1h` or plain seconds; a parser of typer's options. Raises typer.BadParameter."""
    match = DURATION.fullmatch(str(text).strip().lower())
    if not match:
        raise typer.BadParameter(f"{text!r} is no duration: say 500ms, 10s, 2m or 1h")
    return float(match[1]) * UNITS_S[match[2]]
