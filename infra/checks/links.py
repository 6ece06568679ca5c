"""Links of our pages lead to files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from infra.checks.finding import Finding

LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```")


def check(root: Path) -> Iterator[Finding]:
    for page in (*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md")), *sorted((root / "infra").rglob("*.md"))):
        code = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            code ^= bool(FENCE.match(line))
            for target in () if code else LINK.findall(line):
                if not (page.parent / unquote(target)).exists():
                    yield Finding(page.relative_to(root), f"{target} is not there", "correct the link", number)
