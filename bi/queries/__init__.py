"""The definition of each number that people see: one SQL file, used by the page and by whoever else shows it."""

from __future__ import annotations

from importlib.resources import files


def sql(name: str) -> str:
    """The statement of `<name>.sql`. Raises FileNotFoundError for a name that does not exist."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8").strip().rstrip(";")
