"""Connector JSON on disk: one file a connector, named after it, holding what `PUT /connectors/{name}/config` takes.

A file may also hold what `POST /connectors` takes, `{"name": ..., "config": {...}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from commerce360.errors import ConfigError
from connect_configs.model import Config

CONFIGS = Path(__file__).parent
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what fits a path, a file, a topic and a slot
LONGEST_NAME = 200


def configurations(folder: Path = CONFIGS) -> dict[str, Config]:
    """`{connector name: configuration}` of every JSON file of a folder. Raises ConfigError, also for a folder without any."""
    return read([folder])


def read(paths: Iterable[Path]) -> dict[str, Config]:
    """Of files and of folders' `*.json`, sorted by name. Raises ConfigError that names the file and what is wrong with it."""
    found: dict[str, tuple[Path, Config]] = {}
    for path in _files(paths):
        name, config = _parse(path)
        if name in found:
            raise ConfigError(f"{path} and {found[name][0]} are both connector {name}", "keep one")
        found[name] = (path, config)
    return {name: config for name, (_, config) in sorted(found.items())}


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path} holds no *.json", "name a file, or a folder with one JSON file a connector")
        found += inside
    return found


def _parse(path: Path) -> tuple[str, Config]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique_keys)
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", "name a connector's JSON file, or a folder of them") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not JSON: {error}", f"fix {path}") from error
    name = path.stem
    if isinstance(data, dict) and isinstance(data.get("config"), dict):
        name, data = data.get("name", name), data["config"]
    if not isinstance(data, dict) or not data:
        raise ConfigError(f"{path.name} is not a connector's configuration", "it must be an object of settings, such as curl would PUT")
    name = str(data.get("name", name))
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{path.name}: {name!r} is no connector name that every address takes", "use letters, digits, dots, dashes and underscores"
        )
    return name, {str(k): _text(path, k, v) for k, v in data.items() if k != "name"}


def _text(path: Path, key: str, value: Any) -> str:
    """Connect keeps texts; numbers and truth values are taken as curl's users write them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return json.dumps(value)
    raise ConfigError(f"{path.name}: {key} is {_kind(value)}, not a text", f'write it in quotes: "{key}": "..."')


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "null"


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads(object_pairs_hook=...), which else lets a key stand twice and forgets the first. Raises ValueError."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"{key!r} stands twice")
        made[key] = value
    return made
