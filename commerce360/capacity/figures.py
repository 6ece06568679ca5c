"""Named figures with their unit and where they come from: costs of an event, and list prices. TOML, one table a figure.

[lake_record_ms]
value = 1.05
unit = "ms"
source = "docs/performance.md, catch-up"
example = true    # prices: to be replaced; costs: assumed, not measured
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from commerce360.errors import ConfigError

HERE = Path(__file__).parent
COSTS, PRICES = HERE / "costs.toml", HERE / "prices.toml"
ABOUT = "about"  # the table with what holds for the whole file
MAY_BE_ZERO = frozenset({"query_credits_per_day"})


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    source: str
    example: bool = False


class Figures(dict[str, Figure]):
    """By name. `about`: machine, date, currency and the like, as text."""

    about: dict[str, str]

    def __init__(self, figures: Mapping[str, Figure], about: Mapping[str, str]) -> None:
        super().__init__(figures)
        self.about = dict(about)

    def value(self, name: str) -> float:
        return self[name].value


def read(path: Path | None, base: Path) -> Figures:
    """All figures of `base`, those of `path` instead where it has some. Raises ConfigError that names file and figure."""
    known = _parsed(base, None)
    if path is None:
        return known
    own = _parsed(path, known)
    return Figures({**known, **own}, {**known.about, **own.about})


def _parsed(path: Path, known: Figures | None) -> Figures:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", "copy the one that is shipped and change it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", f"see {COSTS.name} and {PRICES.name} of commerce360/capacity") from error
    about = data.pop(ABOUT, {})
    return Figures({name: _figure(path, name, table, known) for name, table in data.items()}, {k: str(v) for k, v in about.items()})


def _figure(path: Path, name: str, table: Any, known: Figures | None) -> Figure:
    if known is not None and name not in known:
        raise ConfigError(f"{path}: there is no figure {name}", f"there are {', '.join(known)}")
    if not isinstance(table, dict) or set(table) - {"value", "unit", "source", "example"}:
        raise ConfigError(f"{path}: {name} is no table of value, unit, source and example", "correct the file")
    value = table.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ConfigError(f"{path}: {name} has no value that is a number from 0 on", f"it says {value!r}")
    if value == 0 and name not in MAY_BE_ZERO:
        raise ConfigError(f"{path}: {name} is 0", "nothing is free: give what it takes")
    unit = str(table.get("unit", known[name].unit if known else ""))
    if known is not None and unit != known[name].unit:
        raise ConfigError(f"{path}: {name} is in {known[name].unit}, not in {unit}", "convert the value")
    return Figure(name, float(value), unit, str(table.get("source", path.name)), bool(table.get("example", False)))


def with_bench(costs: Figures, folder: Path) -> Figures:
    """What `make bench` measured, from its folder, instead of the shipped figures. Raises ConfigError when it has none of them."""
    found: dict[str, float] = {}
    for name, figures in MEASURED.items():
        file = folder / name
        try:
            if measured := _json(file):
                found |= figures(measured)
        except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise ConfigError(f"{file} is not complete: {type(error).__name__} {error}", "run `make bench` again") from error
    if not found:
        raise ConfigError(f"{folder} has no figures of `make bench`", "run it, or leave --bench out")
    if wrong := [name for name, value in found.items() if not value > 0]:
        raise ConfigError(f"{folder}: {wrong[0]} would be {found[wrong[0]]:g}", "run the benchmark again, alone on the machine")
    made = {name: replace(costs[name], value=value, source=f"make bench ({folder})", example=False) for name, value in found.items()}
    return Figures({**costs, **made}, costs.about)


def _replay(told: dict[str, Any]) -> dict[str, float]:
    producer_us = float(told["replay_cpu_us"])
    # Both share all cores of the machine, which are busy: what the sender does not use, the broker does.
    kafka_us = float(told["cores"]) / float(told["replay_per_s"]) * 1e6 - producer_us
    return {"producer_us": producer_us, "kafka_us": kafka_us, "order_bytes": float(told["value_bytes"])}


def _loader(told: dict[str, Any]) -> dict[str, float]:
    return {"loader_rows_per_s": float(told["throughput"]["loader_rows_per_s"])}


def _drain(told: dict[str, Any]) -> dict[str, float]:
    """A record took no longer than that, fixed costs of its batch included: the shipped cost is of another machine."""
    per_s = float(told["drained_per_s"])
    return {"lake_drain_per_s": per_s, "lake_record_ms": 1000 / per_s}


def _scd2(told: dict[str, Any]) -> dict[str, float]:
    chain = told.get("by_chain")
    return {"lake_batch_s": float(chain["ours"]["p50_ms"]) / 1000} if chain else {}


MEASURED: Mapping[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "replay.json": _replay,
    "loader.json": _loader,
    "drain.json": _drain,
    "scd2.json": _scd2,
}


def _json(path: Path) -> dict[str, Any]:
    """Empty when it is not there. Raises ConfigError for what is not JSON."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}", "run `make bench` again") from error
    return found
