from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The engine of the local Snowflake, in this process."""
    from commerce360.local.doubles.snowflake.engine import Engine

    folder: Path = tmp_path_factory.mktemp("engine")
    made = Engine(folder)
    yield made
    made.duck.close()
