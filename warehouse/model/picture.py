"""The star as SVG: boxes with keys, references and a few columns. Pure; the same on every machine.

Boxes have their own ground, lines have tones between light and dark, the rest is transparent: it can stand on a white or a dark page.
"""

from __future__ import annotations

from html import escape

from schemas import star
from warehouse.model import layout, shown
from warehouse.model.layout import BOX, HEAD, ROW, Box, Line, Picture

HEADS = {"dim": "#1e4e8c", "fct": "#8a3d12", "mart": "#22633a"}
KINDS = {"dim": "dimension", "fct": "fact", "mart": "mart"}
LINES = {
    "dim_customer": "#3b82f6",
    "dim_product": "#a855f7",
    "dim_campaign": "#d97706",
    "dim_date": "#6b7d94",
    "fct_sales": "#ef4444",
    "fct_sessions": "#ec4899",
    "mart_customer_360": "#16a34a",
}
STYLE = """\
.b{fill:#fbfcfe;stroke:#8a97a8}
.n,.t,.m,.k{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1c2733}
.p{font-weight:700}
.t{fill:#5b6878;text-anchor:end}
.m{font:italic 10.5px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#5b6878}
.k{font-size:8.5px;font-weight:700;fill:#5b6878}
.h{font:700 12px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#fff}
.s{font-weight:400;fill:#dfe7f0}
.l{fill:none;stroke-width:1.5;stroke-linejoin:round}
.d{stroke-dasharray:4 3}
"""


def svg() -> str:
    drawn = layout.draw()
    height = round(drawn.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.WIDTH} {height}" width="{layout.WIDTH}" height="{height}" '
        'role="img" aria-labelledby="star-title star-desc">',
        '<title id="star-title">The star schema of commerce360</title>',
        f'<desc id="star-desc">{escape(_description())}</desc>',
        f"<style>\n{STYLE}</style>",
        *(_line(line) for line in drawn.lines),
        *(_box(box) for box in drawn.boxes.values()),
        _legend(drawn),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _description() -> str:
    """Who refers to whom, in words."""
    told = [f"{v.entity} refers to {', '.join(dict.fromkeys(r.target for r in v.references))}" for v in star.VIEWS if v.references]
    alone = [v.entity for v in star.VIEWS if not v.references]
    return f"{'; '.join(told)}. Without references: {', '.join(alone)}."


def _line(line: Line) -> str:
    """Rounded at its corners; a crow's foot at the side of many, a bar at the side of one.

    It is drawn from the target on, so that the dashes of lines that share a track lie on each other.
    """
    colour, loose = LINES[line.reference.target], "" if line.reference.whole else " d"
    (x0, y0), (x1, _), (_, y1), (x2, _) = line.points
    out, back = (1 if x1 > x0 else -1), (1 if x2 > x1 else -1)
    radius, down = min(5, abs(y1 - y0) / 2), (1 if y1 > y0 else -1)
    bend = (
        f"M{_n(x2)} {_n(y1)}H{_n(x1 + back * radius)}Q{_n(x1)} {_n(y1)} {_n(x1)} {_n(y1 - down * radius)}"
        f"V{_n(y0 + down * radius)}Q{_n(x1)} {_n(y0)} {_n(x1 - out * radius)} {_n(y0)}H{_n(x0)}"
    )
    foot = f"M{_n(x0)} {_n(y0 - 4)}L{_n(x0 + out * 8)} {_n(y0)}L{_n(x0)} {_n(y0 + 4)}"
    bar = f"M{_n(x2 - back * 5)} {_n(y1 - 4)}V{_n(y1 + 4)}"
    name = escape(f"{line.source} ({', '.join(line.reference.columns)}) → {line.reference.target}")
    return (
        f'<g stroke="{colour}"><title>{name}</title><path class="l{loose}" d="{bend}"/>'
        f'<path class="l" d="{foot}"/><path class="l" d="{bar}"/></g>'
    )


def _box(box: Box) -> str:
    view = star.BY_ENTITY[box.entity]
    x, y = box.x, box.y
    head = (
        f'<path d="M{_n(x)} {_n(y + HEAD)}v{-(HEAD - 5)}q0 -5 5 -5h{BOX - 10}q5 0 5 5v{HEAD - 5}z" fill="{HEADS[shown.kind(box.entity)]}"/>'
        f'<text class="h" x="{_n(x + 9)}" y="{_n(y + 18)}"><tspan class="s">{view.schema}.</tspan>{box.entity.upper()}</text>'
    )
    rows = [_row(box, row) for row in box.rows]
    last = y + HEAD + ROW * (len(box.rows) + 0.5) + 4
    count = shown.more(view)
    foot = f'<text class="m" x="{_n(x + 31)}" y="{_n(last)}">and {count} more</text>'
    ground = f'<rect class="b" x="{_n(x)}" y="{_n(y)}" width="{BOX}" height="{_n(box.height)}" rx="5"/>'
    return "\n".join([f"<g><title>{escape(view.comment)}</title>{ground}{head}", *rows, f"{foot}</g>"])


def _row(box: Box, row: shown.Row) -> str:
    base = box.row_y(row.name) + 4
    fill = f' style="fill:{LINES[row.target]}"' if row.target else ""
    mark = f'<text class="k" x="{_n(box.x + 9)}" y="{_n(base - 0.5)}"{fill}>{row.marks[0]}</text>' if row.marks else ""
    name = f'<text class="n{" p" if "PK" in row.marks else ""}" x="{_n(box.x + 31)}" y="{_n(base)}">{row.name}</text>'
    return f'{mark}{name}<text class="t" x="{_n(box.x + BOX - 8)}" y="{_n(base)}">{row.type}</text>'


def _legend(drawn: Picture) -> str:
    """Under the first column."""
    below = [b for b in drawn.boxes.values() if b.column == 0]
    x, y = below[0].x, max(b.y + b.height for b in below) + 2 * ROW
    texts = [(f'<rect x="{_n(x + 9)}" y="{{y}}" width="14" height="10" rx="2" fill="{HEADS[k]}"/>', n) for k, n in KINDS.items()]
    stroke = f'stroke="{LINES["dim_date"]}"'
    texts += [
        (f'<path class="l" {stroke} d="M{_n(x + 9)} {{middle}}h16"/>', "each value has its row"),
        (f'<path class="l d" {stroke} d="M{_n(x + 9)} {{middle}}h16"/>', "some values have none"),
        (f'<text class="k" x="{_n(x + 9)}" y="{{base}}">PK</text>', "primary key"),
        (f'<text class="k" x="{_n(x + 9)}" y="{{base}}">AK</text>', "unique as well"),
        (f'<text class="k" x="{_n(x + 9)}" y="{{base}}">FK</text>', "refers, in the colour of its line"),
    ]
    lines = []
    for place, (sign, text) in enumerate(texts):
        middle = y + ROW * (place + 0.5) + 9
        lines.append(
            sign.format(y=_n(middle - 5), middle=_n(middle), base=_n(middle + 3.5))
            + f'<text class="m" x="{_n(x + 31)}" y="{_n(middle + 4)}">{text}</text>'
        )
    ground = f'<rect class="b" x="{_n(x)}" y="{_n(y)}" width="{BOX}" height="{_n(ROW * len(texts) + 18)}" rx="5"/>'
    return "\n".join([f"<g>{ground}", *lines, "</g>"])


def _n(value: float) -> str:
    """Without a needless zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
