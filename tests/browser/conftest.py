from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


expect.set_options(timeout=20_000)  # how long a busy machine may take; nothing waits longer than it must


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium: playwright's is not downloaded."""
    found = os.environ.get("C360_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path, and C360_CHROMIUM does not name one")
    if not Path(found).is_file():
        pytest.fail(f"C360_CHROMIUM names no file: {found}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield launched
        launched.close()
