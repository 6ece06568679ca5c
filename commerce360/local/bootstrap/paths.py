"""Where things are kept: the checkout's own `build/`, and the user's cache that all checkouts share."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
JARS = BUILD / "jars"


def cache() -> Path:
    """`C360_CACHE`, else `XDG_CACHE_HOME`, else `~/.cache`; below `build/` for an account without a home that it can write."""
    if chosen := os.environ.get("C360_CACHE"):
        return Path(chosen)
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return BUILD / "cache"
    found = next(p for p in (base, *base.parents) if p.exists())
    return base / "commerce360" if os.access(found, os.W_OK) else BUILD / "cache"
