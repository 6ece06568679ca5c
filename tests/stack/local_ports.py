"""A state folder whose ports are nobody else's: the default ones may be those of a stack that somebody uses.

And whose certificates are of one authority for all of a process: the streaming SDK's uploads read once whom to trust, the first time that
one is made, in whatever test. The certificate of a second authority would be refused from then on (BadSignature).
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from commerce360.local.doubles.snowflake import keys
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
    shutil.copytree(_certificates(), root / "tls")
    return root


@cache
def _certificates() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="c360-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keys.ensure_keys(folder / "unused.p8", folder / "ca.pem")
    (folder / "unused.p8").unlink()
    return folder
