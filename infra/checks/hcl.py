"""Terraform files of one folder, read: its blocks (python-hcl2), and all that its expressions refer to, with lines.

The grammar says what is valid HCL; references are looked for in the text with comments and literals blanked out, so that each has its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

START = re.compile(r'^(\w+)((?: "[^"]*")*) \{', re.MULTILINE)
TRAVERSAL = re.compile(r"(?<![\w.\]])([A-Za-z_][\w-]*)((?:\.[A-Za-z_][\w-]*)+)")


class InvalidHclError(Exception):
    """A file that the grammar does not take; `line` is where it stops."""

    def __init__(self, file: Path, line: int, message: str) -> None:
        super().__init__(message)
        self.file, self.line, self.message = file, line, message


@dataclass(frozen=True, slots=True)
class Block:
    """`body` is python-hcl2's: a literal has its quotes, an expression is in `${...}`. Lines count from 1."""

    kind: str
    labels: tuple[str, ...]
    body: dict[str, Any]
    file: Path
    line: int
    last: int

    @property
    def name(self) -> str:
        return ".".join(self.labels)


@dataclass(frozen=True, slots=True)
class Reference:
    parts: tuple[str, ...]  # ('module', 'network', 'zone_ids')
    file: Path
    line: int

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(slots=True)
class Folder:
    """A module or a root. Paths are relative to the checkout's root."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)

    def of(self, kind: str) -> dict[str, Block]:
        return {block.name: block for block in self.blocks if block.kind == kind}

    def locals(self) -> dict[str, Block]:
        return {name: block for block in self.blocks if block.kind == "locals" for name in keys(block.body)}


def read(root: Path, path: Path) -> Folder:
    """Raises InvalidHclError. Only `*.tf`: tests of Terraform are for Terraform."""
    folder = Folder(path)
    for file in sorted((root / path).glob("*.tf")):
        text, relative = file.read_text(encoding="utf-8"), path / file.name
        code = blanked(text)
        folder.blocks += _blocks(text, code, relative)
        folder.references += _references(code, relative)
    return folder


def _blocks(text: str, code: str, file: Path) -> Iterator[Block]:
    """Blocks in the grammar's order are found in the text in that order, kind by kind."""
    parsed = parse(text, file)
    starts = [(found[1], _line(text, found.start()), _line(text, _end(code, found.end()))) for found in START.finditer(text)]
    for kind, bodies in parsed.items():
        places = [(first, last) for name, first, last in starts if name == kind]
        for body, (first, last) in zip(bodies, places, strict=True):
            labels, inner = _labelled(body)
            yield Block(kind, labels, inner, file, first, last)


def parse(text: str, file: Path) -> dict[str, list[dict[str, Any]]]:
    """Blocks at the top of a file by kind. Raises InvalidHclError."""
    from lark.exceptions import LarkError

    try:
        return {kind: bodies for kind, bodies in _loaded(text).items() if not kind.startswith("__")}
    except (LarkError, ValueError) as error:
        raise InvalidHclError(file, int(getattr(error, "line", 0) or 0), str(error).splitlines()[0]) from error


@cache
def _loaded(text: str) -> dict[str, Any]:
    """The parser is slow, and what it gives is only read."""
    import hcl2

    found: dict[str, Any] = hcl2.loads(text)
    return found


def _labelled(body: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    labels: list[str] = []
    while len(body) == 1 and (label := next(iter(body))).startswith('"'):
        labels.append(label.strip('"'))
        body = body[label]
    return tuple(labels), body


def keys(body: dict[str, Any]) -> list[str]:
    """Of an object or a block: its names, without what python-hcl2 adds."""
    return [key.strip('"') for key in body if not key.startswith("__")]


def literal(value: object) -> str | None:
    """The text of a literal without interpolation, else None."""
    if isinstance(value, str) and value.startswith('"') and "${" not in value:
        return value.strip('"')
    return None


def blanked(text: str) -> str:
    """The same length and lines, with spaces for comments and for what stands between quotes, but for interpolations."""
    out: list[str] = []
    modes = ["code"]
    at = 0
    while at < len(text):
        taken = _comment(text, at) if modes[-1] == "code" else 0
        if taken:
            out.append(re.sub(r"[^\n]", " ", text[at : at + taken]))
            at += taken
            continue
        step = _step(text, at, modes)
        seen = text[at : at + step]
        out.append(seen if modes[-1] == "code" and seen not in ('"', "${") else re.sub(r"[^\n]", " ", seen))
        at += step
    return "".join(out)


def _comment(text: str, at: int) -> int:
    """Characters of the comment that begins here; 0 for none."""
    if text[at] == "#" or text.startswith("//", at):
        return (text.find("\n", at) if "\n" in text[at:] else len(text)) - at
    if text.startswith("/*", at):
        return text.find("*/", at) + 2 - at
    return 0


def _step(text: str, at: int, modes: list[str]) -> int:
    """How many characters belong together here; changes what is open."""
    if modes[-1] == "text":
        if text[at] == "\\" or text.startswith("$${", at):
            return 2 if text[at] == "\\" else 3
        if text.startswith("${", at):
            modes.append("code")
            return 2
        if text[at] == '"':
            modes.pop()
        return 1
    if text[at] == '"':
        modes.append("text")
    elif text[at] == "{":
        modes.append("code")
    elif text[at] == "}" and len(modes) > 1:
        modes.pop()
    return 1


def _end(code: str, at: int) -> int:
    """Where the brace closes that was opened before `at`."""
    depth = 1
    while depth and at < len(code):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        at += 1
    return at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _references(code: str, file: Path) -> Iterator[Reference]:
    for found in TRAVERSAL.finditer(code):
        yield Reference((found[1], *found[2][1:].split(".")), file, _line(code, found.start()))
