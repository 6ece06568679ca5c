"""The page of threats names settings and files that exist, and a hop for each server that a setting names."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from commerce360.local.addresses import source_variables
from commerce360.local.state import State
from commerce360.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "threat-model.md"
TEXT = PAGE.read_text(encoding="utf-8")
SERVERS = ("KAFKA", "REGISTRY", "CONNECT", "POSTGRES", "MONGO", "LAKE", "WAREHOUSE", "PAGE", "SENTIMENT", "TABLEAU")


def settings(prefix: str, model: type[BaseModel]) -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        found |= settings(f"{prefix}{name.upper()}__", kind) if nested else {f"{prefix}{name.upper()}"}  # type: ignore[arg-type]
    return found


def test_each_setting_that_it_names_is_there(tmp_path: Path) -> None:
    known = settings("C360_", Settings) | set(source_variables(State.open(tmp_path / "state")))
    named = {name for name in re.findall(r"C360_[A-Z0-9_]+", TEXT) if not name.endswith("_")}
    assert len(named) > 20
    assert named - known == set()


def test_each_server_has_a_hop() -> None:
    assert [name for name in SERVERS if f"`C360_{name}__" not in TEXT] == []


def test_each_file_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
