"""Have a running stack stop a service for a while, from another process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from commerce360.errors import C360Error
from commerce360.local.process import Identity

TIMEOUT_S = 60.0


def holders(root: Path, service: str) -> list[Path]:
    """The notes of living processes that hold the service; those of dead ones are removed."""
    found = []
    for note in (root / "run").glob(f"{service}.hold.*"):
        identity = Identity.load(note)
        if identity is not None and identity.process():
            found.append(note)
        else:
            note.unlink(missing_ok=True)
    return found


class Held:
    """A context in which the service does not run; afterwards it does what it did before. Raises C360Error when it does not stop."""

    def __init__(self, root: Path, service: str) -> None:
        self.root, self.service = root, service
        self.note = root / "run" / f"{service}.hold.{os.getpid()}"

    def __enter__(self) -> Held:
        began = time.time()
        Identity.of(os.getpid()).save(self.note)
        try:
            while not self._rests_since(began):
                if time.time() - began > TIMEOUT_S:
                    raise C360Error(f"the stack in {self.root} does not stop {self.service}", "see `c360 status`")
                time.sleep(0.2)
        except BaseException:
            self.note.unlink(missing_ok=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.note.unlink(missing_ok=True)

    def _rests_since(self, began: float) -> bool:
        """As the supervisor tells it: a service between two starts has no process either."""
        try:
            status: dict[str, Any] = json.loads((self.root / "run" / "status.json").read_text())
        except (OSError, ValueError):
            return False
        return bool(status["at"] > began and status["services"][self.service]["state"] == "stopped")
