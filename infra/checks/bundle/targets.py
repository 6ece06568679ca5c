"""What a target of the bundle must say so that one never takes the place of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.checks.bundle.reading import Bundle, at
from infra.checks.bundle.references import References
from infra.checks.finding import Finding

NAMES = ("dev", "staging", "prod")


def check(bundle: Bundle) -> Iterator[Finding]:
    there = bundle.document.get("targets", {})
    for name in NAMES:
        if name not in there:
            yield at(None, f"there is no target {name}", f"the targets are {', '.join(NAMES)}")
    paths: dict[str, str] = {}
    for name, target in there.items():
        found = References(bundle, name).resolve(target)
        path = (found.get("workspace") or {}).get("root_path", "")
        if path in paths:
            yield at(name, f"{name} and {paths[path]} share the root path {path}", "put ${bundle.target} into it")
        paths[path] = str(name)
        yield from _of_mode(name, found)


def _of_mode(name: str, target: dict[str, Any]) -> Iterator[Finding]:
    paused = (target.get("variables") or {}).get("continuous_pause_status", "PAUSED")
    path = (target.get("workspace") or {}).get("root_path", "")
    if target.get("mode") == "development":
        if paused != "PAUSED":
            yield at(name, f"{name} is for development, and starts the continuous jobs by itself", "leave continuous_pause_status PAUSED")
        return
    if "service_principal_name" not in (target.get("run_as") or {}):
        yield at(name, f"{name} does not say which service principal it runs as", "set run_as")
    if not path or path.startswith("~") or "/Shared/" in path:
        yield at(name, f"the root path of {name} is {path or 'not set'}", "name a folder that only those who deploy may write to")
    if not any(p.get("level") == "CAN_MANAGE" for p in target.get("permissions") or ()):
        yield at(name, f"nobody but who deployed {name} may manage its jobs", "give the operators' group CAN_MANAGE")
