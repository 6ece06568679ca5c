"""The parameters of `truth` as tables, for docs/shop-model.md: the names and units are the fields and comments of its dataclasses."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

from producers import truth
from producers.truth import TRUTH, Truth

BEGIN = "<!-- parameters: made by `make docs` from producers/truth.py; edit that -->"
END = "<!-- end of parameters -->"
TITLES = {
    "personas": "Personas", "tiers": "Loyalty tiers", "campaigns": "Campaigns", "categories": "Categories", "seasons": "Seasons",
    "funnel": "Funnel", "identity": "Who is known", "quality": "Quality", "reviews": "Reviews", "orders": "Orders", "churn": "Churn",
    "prices": "Prices",
}  # fmt: skip


def put_into(page: str, of: Truth = TRUTH) -> str:
    """The page with its part between the two marks made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{tables(of)}\n{END}{tail}"


def tables(of: Truth = TRUTH) -> str:
    """Markdown, the same on every machine."""
    parts = [f"Digest of all parameters: `{of.digest()}`.\n"]
    for name, title in TITLES.items():
        value = getattr(of, name)
        parts.append(f"### {title}\n\n" + (_rows_of(value) if isinstance(value, tuple) else _facts_of(value)))
    countries = [f"| {code} | {language} | {share} |" for code, language, share in of.countries]
    parts.append("### Countries\n\n" + _table(["country", "language of its reviews", "share"], countries))
    return "\n".join(parts)


def _rows_of(values: tuple[Any, ...]) -> str:
    """One line for each of several; what the columns mean stands below."""
    names = [f.name for f in fields(values[0])]
    rows = ["| " + " | ".join(_shown(getattr(v, n)) for n in names) + " |" for v in values]
    meanings = [f"- `{name}`: {meaning}" for name, meaning in _comments(type(values[0])).items()]
    return _table([f"`{n}`" for n in names], rows) + "\n" + "\n".join(meanings) + "\n"


def _facts_of(value: Any) -> str:
    comments = _comments(type(value))
    rows = [f"| `{f.name}` | {_shown(getattr(value, f.name))} | {comments.get(f.name, '')} |" for f in fields(value)]
    return _table(["parameter", "value", "meaning"], rows)


def _table(heads: list[str], rows: list[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *rows]) + "\n"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _comments(kind: type) -> dict[str, str]:
    """Field -> the comment behind it."""
    source = inspect.getsource(truth)
    body = re.split(r"\n\n\n", source[source.index(f"class {kind.__name__}:") :])[0]
    return dict(re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", body, re.MULTILINE))
