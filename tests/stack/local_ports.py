"""A state folder whose ports are nobody else's: the default ones may be those of a stack that somebody uses."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from commerce360.local.state import PORTS


def new_state(root: Path) -> Path:
    root.mkdir(parents=True)
    with contextlib.ExitStack() as held:
        probes = {name: held.enter_context(socket.socket()) for name in PORTS}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        ports = {name: probe.getsockname()[1] for name, probe in probes.items()}
    (root / "stack.json").write_text(json.dumps({"ports": ports}))
    return root
