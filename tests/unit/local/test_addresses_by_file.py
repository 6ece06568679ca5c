"""Settings that name a file instead of holding what is secret, and commands that take the environment for a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.cli.stack import DEFAULT, lake_elsewhere, settings_of_lake
from commerce360.errors import ConfigError
from commerce360.settings import Mongo, Settings


def test_the_address_of_mongodb_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "uri"
    file.write_text("mongodb://c360:secret@mongo/?authSource=admin\n")
    assert Mongo().address() == Mongo().uri
    given = Mongo(uri_file=file)
    assert given.address() == "mongodb://c360:secret@mongo/?authSource=admin"
    assert "secret" not in repr(given)
    with pytest.raises(ConfigError, match="address of MongoDB"):
        Mongo(uri_file=tmp_path / "nothing").address()


def test_a_lake_that_the_environment_names_needs_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("C360_LAKE__ROOT", raising=False)
    assert lake_elsewhere() is None
    with pytest.raises(ConfigError, match="there is no stack in"):
        settings_of_lake(tmp_path)
    monkeypatch.setenv("C360_LAKE__ROOT", "abfss://lake@c360lake.dfs.core.windows.net/c360")
    assert lake_elsewhere() == settings_of_lake(DEFAULT) == Settings()
    with pytest.raises(ConfigError, match="there is no stack in"):
        settings_of_lake(tmp_path)  # who names a stack means it
