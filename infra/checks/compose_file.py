"""docker-compose.yml as the checks see it: values with their defaults put in, and the lines where things stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAME = Path("docker-compose.yml")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::?-(?P<default>[^}]*))?\})")


def filled(text: str, given: Mapping[str, str] | None = None) -> str:
    """`${NAME:-default}` replaced: by what is given, else by the default; `$$` is a dollar."""

    def value(match: re.Match[str]) -> str:
        return "$" if match["name"] is None else (given or {}).get(match["name"]) or match["default"] or ""

    return VARIABLE.sub(value, text)


@dataclass(frozen=True)
class Service:
    name: str
    raw: Mapping[str, Any]  # with merges, without defaults

    @property
    def once(self) -> bool:
        """It ends by itself."""
        return self.raw.get("restart") == "no"

    @property
    def image(self) -> str:
        return str(self.raw.get("image", ""))

    @property
    def environment(self) -> dict[str, str]:
        given = self.raw.get("environment") or {}
        return {str(k): filled(str(v)) for k, v in given.items()}

    @property
    def depends_on(self) -> dict[str, Mapping[str, Any]]:
        return dict(self.raw.get("depends_on") or {})

    def words(self, key: str) -> list[str]:
        """Of `command` or `entrypoint`, whichever way it is written."""
        given = self.raw.get(key) or []
        return [filled(str(word)) for word in (given.split() if isinstance(given, str) else given)]

    def listed(self, key: str) -> list[str]:
        """Names in a list of names or of mappings with `source`, or of a mapping."""
        return [str(item["source"]) if isinstance(item, dict) else str(item) for item in self.raw.get(key) or []]

    def mounts(self) -> Iterator[tuple[str, str]]:
        """(source, target) of its volumes."""
        for text in self.listed("volumes"):
            source, _, rest = filled(text).partition(":")
            yield source, rest.partition(":")[0]


class Compose:
    """Raises yaml.YAMLError for what is no YAML, KeyError for a file without services."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.text = (root / NAME).read_text(encoding="utf-8")
        self.data: dict[str, Any] = yaml.load(self.text, Loader=LOADER)  # noqa: S506 - a safe loader
        self._nodes = yaml.compose(self.text, Loader=LOADER)
        self.services = {name: Service(name, raw) for name, raw in self.data["services"].items()}

    def top(self, key: str) -> dict[str, Any]:
        return dict(self.data.get(key) or {})

    def line(self, *path: str) -> int:
        """Of the innermost key of `path` that is written there; what comes by a merge has the line of what it is merged into."""
        node, found = self._nodes, 0
        for key in path:
            if not isinstance(node, yaml.MappingNode):
                break
            pair = next(((k, v) for k, v in node.value if k.value == key), None)
            if pair is None:
                break
            found, node = pair[0].start_mark.line + 1, pair[1]
        return found

    def line_of(self, service: str, key: str, name: str) -> int:
        """Of `name` below `key` of a service, or where an anchor has it."""
        inside = self.line("services", service, key)
        exact = self.line("services", service, key, name)
        if exact and exact != inside:
            return exact
        marked = (n for n, text in enumerate(self.text.splitlines(), 1) if re.match(rf"\s*{re.escape(name)}:", text))
        return next(marked, inside)


def env_file(path: Path) -> dict[str, str]:
    """NAME=value lines."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
