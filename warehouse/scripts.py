"""Migration scripts as files: names, order, rendering and checksum as in schemachange 4.4, so that either tool can go on for the other.

`V<version>__<words>.sql` is run once, `R__<words>.sql` whenever its content is another one, `A__<words>.sql` every time; in this order, and
by number and name among themselves. Of Jinja only `{{ variable }}` is known here, which is all that our scripts need.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from commerce360.errors import ConfigError
from warehouse.statements import split

FOLDER = Path(__file__).with_name("migrations")
NAME = re.compile(r"^(?:V(?P<version>(?:[^_]|_(?!_))+)|(?P<other>[RA]))__(?P<words>.+?)\.sql$", re.I)
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
OTHER_JINJA = re.compile(r"\{\{|\{%|\{#")
KINDS = ("V", "R", "A")


@dataclass(frozen=True)
class Script:
    name: str
    text: str  # as in the file

    @property
    def kind(self) -> str:
        return self.name[0].upper()

    @property
    def version(self) -> str:
        """Of a versioned script, else empty."""
        return self._parts["version"] or ""

    @property
    def description(self) -> str:
        return self._parts["words"].replace("_", " ").capitalize()

    @property
    def _parts(self) -> re.Match[str]:
        found = NAME.match(self.name)
        assert found is not None, self.name
        return found

    def render(self, variables: Mapping[str, str]) -> str:
        """What is run and what the checksum is of. Raises ConfigError for a variable without a value and for other Jinja."""

        def value(found: re.Match[str]) -> str:
            if found[1] not in variables:
                raise ConfigError(f"{self.name}: {found[1]} has no value", f"known are {', '.join(sorted(variables))}")
            return variables[found[1]]

        if found := OTHER_JINJA.search(VARIABLE.sub("", self.text)):
            raise ConfigError(
                f"{self.name}: Jinja beyond {{{{ variable }}}} at {found[0]!r}", "write it without, or run it with schemachange"
            )
        content = VARIABLE.sub(value, self.text).strip()
        return content[:-1] if content.endswith(";") else content

    def checksum(self, variables: Mapping[str, str]) -> str:
        return hashlib.sha224(self.render(variables).encode()).hexdigest()

    def statements(self, variables: Mapping[str, str]) -> list[str]:
        try:
            return split(self.render(variables))
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error.message}", error.hint) from error


def read(folder: Path = FOLDER) -> list[Script]:
    """In the order in which they are run. Raises ConfigError for a name that is none, and for names or versions that come twice."""
    found: dict[str, Script] = {}
    versions: dict[str, str] = {}
    for path in sorted(folder.rglob("*.sql")):
        if not NAME.match(path.name):
            raise ConfigError(f"{path} is no name of a migration", "V<version>__<words>.sql, R__<words>.sql or A__<words>.sql")
        script = Script(path.name, path.read_text())
        if script.name.lower() in found:
            raise ConfigError(f"{path.name} is there twice", "names are unique, in all folders and in any case")
        found[script.name.lower()] = script
        if script.version and (other := versions.setdefault(script.version, script.name)) != script.name:
            raise ConfigError(f"{other} and {script.name} have one version", "give one of them the next version")
    return sorted(found.values(), key=lambda s: (KINDS.index(s.kind), order(s.name)))


def order(text: str) -> list[tuple[int, int, str]]:
    """Numbers by value, letters in any case: 1.0.10 comes behind 1.0.9."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in re.split("([0-9]+)", text)]
