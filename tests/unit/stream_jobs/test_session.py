"""What of the lake's settings no Spark session is opened with."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.settings import Lake
from stream_jobs.session import open_session


def test_the_key_of_an_account_is_not_put_into_a_session_of_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="C360_LAKE__AUTH is key"):
        open_session(Lake(session="running", auth="key"), tmp_path / "unused")
