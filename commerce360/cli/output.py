"""Files that a command is asked to write at its end: looked at before it begins."""

from __future__ import annotations

import os
from pathlib import Path

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
