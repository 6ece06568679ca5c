"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable

NEVER = "never"  # latency of an event that did not arrive
UNKNOWN = "–"


def latency(ms: float) -> str:
    """Milliseconds with three figures and the unit that fits."""
    if math.isnan(ms):
        return UNKNOWN
    if math.isinf(ms):
        return NEVER
    if ms < 1:
        return f"{ms * 1000:.0f} µs"
    if ms < 1000:
        return f"{figures(ms)} ms"
    return f"{figures(ms / 1000)} s"


def figures(value: float) -> str:
    """Three significant figures, or all of a whole number above a thousand."""
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else "∞"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: float) -> str:
    return UNKNOWN if not math.isfinite(value) else f"{value:,.0f}"


def clock(seconds: float) -> str:
    """Seconds from the start as m:ss, or h:mm:ss."""
    whole = round(seconds)
    hours, rest = divmod(abs(whole), 3600)
    text = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"-{text}" if whole < 0 else text


WRITERS: dict[str, Callable[[float], str]] = {
    "ms": latency,
    "s": lambda value: NEVER if math.isinf(value) else f"{figures(value)} s",
    "µs": lambda value: latency(value / 1000),
    "events": count,
    "records": count,
    "rows": count,
    "batches": count,
    "share": lambda value: f"{value * 100:.6g} %",
    "times": lambda value: f"{figures(value)}×",
}


def write(value: float, unit: str) -> str:
    """`value` with its unit; a unit without its own way of writing is put behind the number."""
    if unit in WRITERS:
        return WRITERS[unit](value)
    return f"{figures(value)} {unit}".rstrip()
