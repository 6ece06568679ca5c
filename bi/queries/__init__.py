"""The definition of each number that people see: one SQL file, used by the page and by whoever else shows it.

A file whose first line ends with a question mark is a business question (docs/questions.md); the others are the page's own.
"""

from __future__ import annotations

from importlib.resources import files

ENDING = ".sql"


def sql(name: str) -> str:
    """The statement of `<name>.sql`. Raises FileNotFoundError for a name that does not exist."""
    return files(__name__).joinpath(f"{name}{ENDING}").read_text(encoding="utf-8").strip().rstrip(";")


def questions() -> dict[str, str]:
    """Name and question of each file that answers one, by name."""
    names = sorted(file.name.removesuffix(ENDING) for file in files(__name__).iterdir() if file.name.endswith(ENDING))
    titles = {name: sql(name).splitlines()[0].removeprefix("--").strip() for name in names}
    return {name: title for name, title in titles.items() if title.endswith("?")}
