"""Files of a state folder are looked through while its processes write them anew."""

from __future__ import annotations

import threading
from pathlib import Path

from commerce360.privacy.find import Finder
from commerce360.settings import Lake, Settings


def test_notes_that_are_replaced_meanwhile_disturb_nobody(tmp_path: Path) -> None:
    for folder in ("run", "logs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "logs" / "shop.log").write_text("order of Käthe@Example.org\n")
    finder = Finder(Settings(state=tmp_path, lake=Lake(root=str(tmp_path / "lake"))), ["käthe@example.org"])
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            part = tmp_path / "run" / f"note.json#{number}"
            part.write_text("{}")
            part.replace(tmp_path / "run" / "note.json")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(200):
            assert list(finder._state()) == ["files: logs/shop.log"]
    finally:
        stop.set()
        thread.join()
