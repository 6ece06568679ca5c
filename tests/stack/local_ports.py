"""A state folder whose ports are nobody else's: the default ones may be those of a stack that somebody uses."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from commerce360.local.state import PORTS, is_free

# Below the range from which systems give ports to outgoing connections, and a part of it for each process that runs tests beside others.
FIRST, SHARE = 20_000, 1_500
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_next = itertools.cycle(range(FIRST + WORKER * SHARE, FIRST + (WORKER + 1) * SHARE))


def free_port() -> int:
    return next(port for port in _next if is_free(port))


def new_state(root: Path, lake: str = "files") -> Path:
    root.mkdir(parents=True)
    (root / "stack.json").write_text(json.dumps({"ports": {name: free_port() for name in PORTS}, "lake": lake}))
    return root
