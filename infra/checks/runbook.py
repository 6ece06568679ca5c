"""docs/runbook: each page has the command that shows its fault and the one that repairs it, and the program takes them as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.checks.finding import Finding, Skipped

FOLDER = Path("docs/runbook")
INDEX = "README.md"
FENCE = re.compile(r"^```(\w*)[ ]?(.*)$")
RUNS = ("show", "repair", "well")
DAY = re.compile(r"\$\(date [^)]*\)")
SETTING = re.compile(r"C360_[A-Z0-9_]+(?![A-Z0-9_*])")
OF_OTHERS = ("C360_SOURCE_",)  # of the Connect worker
PARTS = ("**You see**", "**It may be**", "Show ", "Repair", "It is well when")


@dataclass(frozen=True)
class Block:
    """Commands of a page. `run`: show, repair, well, or `no` with the reason. `line` of its first command."""

    line: int
    run: str
    reason: str
    commands: tuple[str, ...]


def check(root: Path) -> Iterable[Finding | Skipped]:
    pages = [p for p in sorted((root / FOLDER).glob("*.md")) if p.name != INDEX]
    if not pages:
        yield Finding(FOLDER, "has no page", "write one a fault")
    for page in pages:
        yield from _page(page.relative_to(root), page.read_text(encoding="utf-8"))


def _page(file: Path, text: str) -> Iterator[Finding]:
    lines = text.splitlines()
    for part in PARTS:
        if not any(line.startswith(part) for line in lines):
            yield Finding(file, f"has no paragraph that begins with {part.strip()!r}", "see the other pages")
    for number, line in enumerate(lines, 1):
        for name in SETTING.findall(line):
            if name not in settings() and not name.startswith(OF_OTHERS):
                yield Finding(file, f"there is no setting {name}", "see commerce360/settings.py", number)
    found = list(blocks(text))
    if not found:
        yield Finding(file, "has no commands", "a block is ```sh run=show, run=repair, run=well, or run=no and the reason")
    for block in found:
        yield from _block(file, block)


def _block(file: Path, block: Block) -> Iterator[Finding]:
    if block.run not in (*RUNS, "no"):
        yield Finding(file, f"has a block that is no run={', run='.join((*RUNS, 'no'))}", "say what it is for", block.line)
    if block.run == "no" and not block.reason:
        yield Finding(file, "does not say why a block is not run", "run=no and the reason", block.line)
    for number, command in enumerate(block.commands):
        if problem := refused(command):
            yield Finding(file, f"`{command}`: {problem}", "see `c360 --help`", block.line + number)


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    lines, start, mark = text.splitlines(), 0, ""
    for number, line in enumerate(lines, 1):
        if (fence := FENCE.match(line)) is None:
            continue
        if not start:
            start, mark = number + 1, fence[2]
            continue
        run, _, reason = mark.removeprefix("run=").partition(" ")
        yield Block(start, run if mark.startswith("run=") else "", reason, tuple(lines[start - 1 : number - 1]))
        start = 0


@cache
def settings() -> frozenset[str]:
    """Names of all settings, as variables of the environment."""
    from commerce360.local.environment import names

    return names()


def refused(command: str) -> str:
    """Why the program would not take the arguments; empty if it would, or if the command is another program's. Runs nothing."""
    words = shlex.split(DAY.sub("2026-11-01", command).partition("|")[0])
    if not words or words[0] != "c360":
        return ""
    from typer.main import get_command

    from commerce360.cli.main import app

    return _refused(get_command(app), "c360", words[1:], None)


def _refused(command: Any, name: str, words: list[str], parent: Any) -> str:
    """By the parser of the command line itself, a group after the other."""
    try:
        context = command.make_context(name, words, parent=parent)
        left = [*getattr(context, "_protected_args", ()), *context.args]
        if not hasattr(command, "resolve_command"):
            return ""
        inner, found, rest = command.resolve_command(context, left)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    return _refused(found, inner, rest, context)
