"""`${...}` of a bundle, put in as a deployment to a target would; a variable without a value has its own name in angle brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.checks.bundle.reading import Bundle, Placed, at
from infra.checks.finding import Finding

REFERENCE = re.compile(r"\$\{([^${}]*)\}")
USER = "ada@example.com"
FOLDERS = {"file_path": "files", "artifact_path": "artifacts", "state_path": "state", "resource_path": "resources"}  # in the root path
DEPTH = 8  # variables of variables of ...


class References:
    """What references mean for one target."""

    def __init__(self, bundle: Bundle, target: str) -> None:
        document = bundle.document
        self.document = document
        self.target = target
        self.findings: list[Finding] = []
        self.used: set[str] = set()
        chosen = document.get("targets", {}).get(target) or {}
        self.root_path = (chosen.get("workspace") or {}).get("root_path", "")
        self.values: dict[str, Any] = {}
        for name, declared in document.get("variables", {}).items():
            self.values[name] = declared.get("default", f"<{name}>") if isinstance(declared, dict) else f"<{name}>"
        self._override(chosen.get("variables") or {})

    def _override(self, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if name not in self.values:
                self.findings.append(at(name, f"the target sets a variable {name} that nobody declares", "declare it, or correct the name"))
            self.values[name] = value.get("default") if isinstance(value, dict) and "default" in value else value

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """The value with all its references put in; where one stands alone it keeps its kind, such as a number."""
        if isinstance(value, dict):
            return {key: self.resolve(item, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, depth) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        if depth > DEPTH:
            self.findings.append(at(value, f"{value} refers to itself", "break the circle"))
            return "<circle>"
        if whole := REFERENCE.fullmatch(value):
            return self._placed(value, self.resolve(self._meant(value, whole[1]), depth + 1))
        text = REFERENCE.sub(lambda m: str(self.resolve(self._meant(value, m[1]), depth + 1)), value)
        return self._placed(value, text)

    def _placed(self, origin: str, value: Any) -> Any:
        """A value that stands somewhere as it is stays there; one that is put together stands where that happens."""
        is_bare = isinstance(value, str) and not isinstance(value, Placed)
        return origin.but(value) if is_bare and isinstance(origin, Placed) else value

    def _meant(self, origin: str, name: str) -> Any:
        kind, _, rest = name.partition(".")
        known = {"var": self._variable, "bundle": self._bundle, "workspace": self._workspace, "resources": self._resource}
        found = known[kind](rest) if kind in known else None
        if found is None:
            self.findings.append(at(origin, f"${{{name}}} means nothing in target {self.target}", "declare it, or correct the name"))
            return f"<{name}>"
        return found

    def _variable(self, name: str) -> Any:
        self.used.add(name)
        return self.values.get(name)

    def _bundle(self, name: str) -> Any:
        return {"name": self.document.get("bundle", {}).get("name"), "target": self.target}.get(name)

    def _workspace(self, name: str) -> Any:
        users = {"current_user.userName": USER, "current_user.short_name": USER.partition("@")[0], "host": "https://<host>"}
        if name == "root_path":
            return self.root_path
        return f"{self.root_path}/{FOLDERS[name]}" if name in FOLDERS else users.get(name)

    def _resource(self, name: str) -> Any:
        kind, _, rest = name.partition(".")
        key = rest.partition(".")[0]
        return f"<{name}>" if key in self.document.get("resources", {}).get(kind, {}) else None


def names_in(value: Any) -> Iterator[str]:
    """Variables that a value names."""
    if isinstance(value, dict):
        for item in value.values():
            yield from names_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, str):
        yield from (name.removeprefix("var.") for name in REFERENCE.findall(value) if name.startswith("var."))
