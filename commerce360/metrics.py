"""How a service tells others how it does: one JSON snapshot a service, replaced atomically in `<state>/run/`.

The live page, `c360 status`, the demo and `/metrics` read these; a snapshot survives its process, so `at` says how old it is.
`telemetry.declared` says which keys a snapshot may have, and which metric each is.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from commerce360.telemetry.declared import KEYS


def snapshot_path(state: Path, service: str) -> Path:
    return state / "run" / f"{service}.metrics.json"


def publish(state: Path, service: str, values: dict[str, Any]) -> None:
    """Replace the snapshot of `service`. Values must be JSON; `at` (epoch seconds) and `pid` are added.

    Raises ValueError for a key that is not declared for that service.
    """
    if unknown := values.keys() - KEYS.get(service, frozenset()):
        raise ValueError(f"{service} tells what is not declared in telemetry/declared.py: {', '.join(sorted(unknown))}")
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
