"""For tests that have the streaming SDK in their own process: its uploads read once whom to trust, the first time that one is made.

Two warehouses with an authority each, in the same process, and the second one's certificate is refused (BadSignature).
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from local_ports import new_state

from commerce360.local.doubles.snowflake import keys


def new_trusted_state(root: Path) -> Path:
    """As `new_state`, with certificates of the authority that all such states of this process share."""
    shutil.copytree(_certificates(), new_state(root) / "tls")
    return root


@cache
def _certificates() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="c360-tls-"))
    keys.ensure_keys(folder / "unused.p8", folder / "ca.pem")
    (folder / "unused.p8").unlink()
    return folder
