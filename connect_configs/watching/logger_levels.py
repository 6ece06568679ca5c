"""Levels of a worker's loggers: what holds for a name, which of many are worth showing, what undoes a change.

Connect 4.3 lists every logger in use with the level that holds for it, writes a level to the logger and to all below it, and cannot
take a level away again: what was inherited can only be set to what it had inherited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from commerce360.errors import ConfigError

LEVELS = ("OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL")
ROOT = "root"
Loggers = Mapping[str, Mapping[str, Any]]  # {logger: {"level": or None, "last_modified": ms since 1970 or None}}


def checked(level: str) -> str:
    """Raises ConfigError: Connect answers 404 to what is no level."""
    if level.upper() not in LEVELS:
        raise ConfigError(f"{level!r} is no level", f"levels are {', '.join(LEVELS)}")
    return level.upper()


def effective(loggers: Loggers, name: str) -> str:
    """Its own level or that of the nearest above it."""
    for above in (name, *ancestors(name)):
        if level := loggers.get(above, {}).get("level"):
            return str(level)
    return "INFO"


def inherits(loggers: Loggers, name: str) -> bool:
    return not loggers.get(name, {}).get("level")


def ancestors(name: str) -> Iterator[str]:
    """From the nearest up to the root."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
    yield ROOT


def telling(loggers: Loggers) -> dict[str, Mapping[str, Any]]:
    """The root, and the loggers that have another level than what is above them."""
    return {
        name: about
        for name, about in sorted(loggers.items(), key=lambda item: (item[0] != ROOT, item[0]))
        if name == ROOT or (about.get("level") and about["level"] != _above(loggers, name))
    }


def undoing(before: Loggers, name: str) -> list[tuple[str, str]]:
    """Levels to set, in this order, so that `name` and all below it are as they were."""
    steps = [(name, effective(before, name))]
    prefix = "" if name == ROOT else f"{name}."
    now = {name: {"level": steps[0][1]}}
    for below in sorted(n for n in before if n not in (name, ROOT) and n.startswith(prefix) and before[n].get("level")):
        level = str(before[below]["level"])
        if level != effective(now, below):
            steps.append((below, level))
            now[below] = {"level": level}
    return steps


def _above(loggers: Loggers, name: str) -> str:
    return next((str(loggers[a]["level"]) for a in ancestors(name) if loggers.get(a, {}).get("level")), "")
