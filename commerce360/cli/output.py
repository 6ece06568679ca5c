"""Where a command writes: files that it makes at its end are looked at before it begins, and a folder of its own is emptied."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from commerce360.errors import ConfigError


def writable(path: Path | None) -> None:
    """Raises ConfigError when the file could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", "name a file")
    folder = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"{path} cannot be written", f"{folder} is not open to you")


def write_json(path: Path | None, found: dict[str, Any]) -> None:
    """All of it or nothing: a reader never finds half a file. Raises ValueError for a number that JSON does not have."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")
        part.replace(path)


def wipe(state: Path, mark: str, maker: str) -> None:
    """Start a stack's folder from nothing, but never delete one that is not the command's own or whose stack runs. Raises ConfigError."""
    from commerce360.local.stack import Stack

    if state.exists():
        if any(state.iterdir()) and not (state / mark).exists():
            raise ConfigError(f"{state} is not empty and was not made by {maker}", "choose another folder with --state")
        Stack.clear(state)  # refuses while a supervisor runs; stops what a killed run left
    state.mkdir(parents=True)
    (state / mark).touch()
