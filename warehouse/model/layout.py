"""Where the boxes of the star's picture stand and how its lines run. Pure; lengths are pixels.

Boxes stand in four columns: histories, facts, shared dimensions, marts. Lines run in the channels between them: all lines to one table
share a track there, a vertical piece, and their ends are horizontal pieces at the height of a row. Rows of different columns never have
the same height, so that two lines cannot lie on each other. A line that passes a column does so at the height of its target or source row.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, permutations

from schemas import star
from schemas.star import Reference
from warehouse.model import shown

WIDTH, MARGIN, TOP = 1200, 14, 14
BOX, HEAD, ROW, FOOT = 228, 27, 18, 9
CHANNEL = (WIDTH - 2 * MARGIN - 4 * BOX) / 3
COLUMNS: tuple[tuple[tuple[str, int], ...], ...] = (  # each with the rows of space above it
    (("dim_customer", 6), ("dim_product", 2)),
    (("fct_sales_moves", 0), ("fct_sales", 1), ("fct_sessions", 1), ("fct_page_events", 1), ("fct_reviews", 1)),
    (("dim_campaign", 9), ("dim_date", 13), ("dim_holiday", 2)),
    (("mart_customer_360", 0), ("mart_attribution", 2), ("mart_funnel", 2), ("mart_product_pulse", 2), ("mart_revenue_minute", 2)),
)
SHIFT = ROW / len(COLUMNS)  # between the rows of neighbours


@dataclass(frozen=True)
class Box:
    entity: str
    column: int
    x: float
    y: float
    rows: tuple[shown.Row, ...]

    @property
    def height(self) -> float:
        return HEAD + ROW * (len(self.rows) + 1) + FOOT

    def row_y(self, name: str) -> float:
        """The middle of a row."""
        return self.y + HEAD + ROW * ([r.name for r in self.rows].index(name) + 0.5)


@dataclass(frozen=True)
class Line:
    """From a row of `source` to a row of `target`, as corners. It leaves and arrives horizontally."""

    source: str
    reference: Reference
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Picture:
    boxes: dict[str, Box]
    lines: tuple[Line, ...]

    @property
    def height(self) -> float:
        return max(b.y + b.height for b in self.boxes.values()) + MARGIN


@dataclass(frozen=True)
class _Route:
    """Heights of both ends, and the channel in which the height changes; an end beyond it runs through a column."""

    source: Box
    target: Box
    reference: Reference
    channel: int
    sides: tuple[int, int]  # -1: the end is left of the channel, 1: right of it

    @property
    def ys(self) -> tuple[float, float]:
        return self.source.row_y(self.reference.columns[0]), self.target.row_y(self.reference.target_columns[0])


def draw() -> Picture:
    """The same on every machine."""
    boxes = _boxes()
    routes = [_route(boxes, view.entity, r) for view in star.VIEWS for r in view.references]
    tracks: dict[tuple[int, str], float] = {}
    for channel in range(len(COLUMNS) - 1):
        tracks |= {(channel, entity): x for entity, x in _tracks(channel, [r for r in routes if r.channel == channel]).items()}
    return Picture(boxes, tuple(_line(r, tracks[r.channel, r.target.entity]) for r in routes))


def _boxes() -> dict[str, Box]:
    made: dict[str, Box] = {}
    for column, stack in enumerate(COLUMNS):
        x, y = MARGIN + column * (BOX + CHANNEL), TOP + column * SHIFT
        for entity, space in stack:
            box = Box(entity, column, x, y + space * ROW, tuple(shown.rows(star.BY_ENTITY[entity])))
            made[entity] = box
            y = box.y + box.height
    return made


def _route(boxes: dict[str, Box], entity: str, reference: Reference) -> _Route:
    """In the channel beside the source; where a column is to be passed, in the one whose far end is free to run through it."""
    source, target = boxes[entity], boxes[reference.target]
    left, right = sorted((source.column, target.column))
    if left == right:
        channel = left - 1 if left else 0  # beside the column, at its left
        side = 1 if left else -1
        return _Route(source, target, reference, channel, (side, side))
    sides = (-1, 1) if source.column < target.column else (1, -1)
    route = _Route(source, target, reference, left, sides)
    between = [b for b in boxes.values() if left < b.column < right]
    far = route.ys[0] if source.column == right else route.ys[1]
    return route if _free(between, far) else _Route(source, target, reference, right - 1, sides)


def _free(boxes: list[Box], y: float) -> bool:
    return not any(b.y - 4 <= y <= b.y + b.height + 4 for b in boxes)


def _tracks(channel: int, routes: list[_Route]) -> dict[str, float]:
    """A place for each target's track, with the fewest crossings."""
    by_target: dict[str, list[_Route]] = defaultdict(list)
    for route in routes:
        by_target[route.target.entity].append(route)
    begin = MARGIN + BOX + channel * (BOX + CHANNEL)
    step = CHANNEL / (len(by_target) + 1)
    best = min(permutations(sorted(by_target)), key=lambda order: _crossings(order, by_target))
    return {entity: begin + step * (place + 1) for place, entity in enumerate(best)}


def _crossings(order: tuple[str, ...], by_target: dict[str, list[_Route]]) -> int:
    """Of ends with the tracks of others: an end from the left crosses the tracks left of its own."""
    spans = {e: [y for r in by_target[e] for y in r.ys] for e in order}
    count = 0
    for first, second in combinations(order, 2):
        for own, other, side in ((first, second, 1), (second, first, -1)):
            ends = {(y, s) for r in by_target[own] for y, s in zip(r.ys, r.sides, strict=True)}
            count += sum(s == side and min(spans[other]) <= y <= max(spans[other]) for y, s in ends)
    return count


def _line(route: _Route, x: float) -> Line:
    (begin, end), (side, other) = route.ys, route.sides
    start = route.source.x + (BOX if side < 0 else 0)
    stop = route.target.x + (BOX if other < 0 else 0)
    return Line(route.source.entity, route.reference, ((start, begin), (x, begin), (x, end), (stop, end)))
