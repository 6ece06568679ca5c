"""The star as Mermaid: a diagram for sales, for behaviour, for the marts and for the calendar, each with what its tables refer to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from schemas import star
from schemas.star import Reference, View
from warehouse.model import shown

PARTS = {
    "Sales": ("fct_sales", "fct_sales_moves"),
    "Behaviour": ("fct_sessions", "fct_page_events", "fct_reviews"),
    "Marts": ("mart_customer_360", "mart_attribution", "mart_funnel", "mart_product_pulse", "mart_revenue_minute"),
    "Calendar": ("dim_holiday",),
}
BEGIN = "<!-- diagrams: made by `make docs` from schemas/star.py; edit that -->"
END = "<!-- end of diagrams -->"


def page() -> str:
    """Markdown, the same on every machine."""
    return "\n".join(f"### {title}\n\n```mermaid\n{diagram(entities)}\n```\n" for title, entities in PARTS.items())


def put_into(text: str) -> str:
    """The page with its part between the two marks made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{page()}\n{END}{tail}"


def diagram(entities: Iterable[str]) -> str:
    """`entities` with a few columns; of others that they refer to, the columns that lines lead to."""
    views = [star.BY_ENTITY[e] for e in entities]
    own = {v.entity for v in views}
    references = [(view, r) for view in views for r in view.references]
    others = sorted({r.target for _, r in references} - own)
    lines = ["erDiagram", *(_relation(view, r) for view, r in references)]
    lines += [_box(view, shown.rows(view)) for view in views]
    for entity in others:
        reached = {c for _, r in references if r.target == entity for c in r.target_columns}
        rows = shown.rows(star.BY_ENTITY[entity])
        lines.append(_box(star.BY_ENTITY[entity], [r for r in rows if r.name in reached or "PK" in r.marks]))
    return "\n".join(lines)


def _relation(view: View, reference: Reference) -> str:
    """One row of the target at most; a dotted line where some values have none."""
    sign = "}o--o|" if reference.whole else "}o..o|"
    return f'    {view.entity.upper()} {sign} {reference.target.upper()} : "{", ".join(reference.columns)}"'


def _box(view: View, rows: list[shown.Row]) -> str:
    body = "\n".join(f"        {r.type.split('(')[0]} {r.name}{' ' if r.marks else ''}{', '.join(_known(r.marks))}" for r in rows)
    return f"    {view.entity.upper()} {{\n{body}\n    }}"


def _known(marks: tuple[str, ...]) -> Iterable[str]:
    """Mermaid's word for an alternate key is UK."""
    return ("UK" if m == "AK" else m for m in marks)
