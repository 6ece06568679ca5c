"""How a service tells others how it does: one JSON snapshot a service, replaced atomically in `<state>/run/`.

The live page, `c360 status` and the demo read these; a snapshot survives its process, so `at` says how old it is.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def snapshot_path(state: Path, service: str) -> Path:
    return state / "run" / f"{service}.metrics.json"


def publish(state: Path, service: str, values: dict[str, Any]) -> None:
    """Replace the snapshot of `service`. Values must be JSON; `at` (epoch seconds) and `pid` are added."""
    path = snapshot_path(state, service)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps({**values, "at": time.time(), "pid": os.getpid()}))
    part.replace(path)


def read(state: Path, service: str) -> dict[str, Any]:
    """The last snapshot of `service`; empty when it never published one."""
    try:
        found: dict[str, Any] = json.loads(snapshot_path(state, service).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
