"""The files of a bundle as one document, in which every text knows where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from infra.checks.finding import Finding

FOLDER = Path("infra/databricks")


class Placed(str):
    """A text of a file; `line` counts from 1."""

    __slots__ = ("file", "line")
    file: Path
    line: int

    def but(self, text: str) -> Placed:
        return placed(text, self.file, self.line)


def placed(text: str, file: Path, line: int) -> Placed:
    made = Placed(text)
    made.file, made.line = file, line
    return made


def at(text: Any, what: str, hint: str) -> Finding:
    """A finding where `text` stands; the bundle's own file for what has no place."""
    if isinstance(text, Placed):
        return Finding(text.file, what, hint, text.line)
    return Finding(FOLDER / "databricks.yml", what, hint)


@dataclass
class Bundle:
    root: Path
    document: dict[str, Any] = field(default_factory=dict)  # sections of all files together
    files: list[Path] = field(default_factory=list)  # relative to the root
    findings: list[Finding] = field(default_factory=list)


def read(root: Path) -> Bundle:
    """The bundle of a checkout. What cannot be read is a finding."""
    bundle = Bundle(root)
    main = FOLDER / "databricks.yml"
    if not (root / main).is_file():
        bundle.findings.append(Finding(main, "there is no bundle", "restore the file"))
        return bundle
    _add(bundle, main)
    for pattern in list(bundle.document.get("include", ())):
        found = sorted((root / FOLDER).glob(str(pattern)))
        if not found:
            bundle.findings.append(at(pattern, f"include {pattern} names no file", "correct the pattern, or restore the file"))
        for path in found:
            _add(bundle, path.relative_to(root))
    unread = {p.relative_to(root) for p in (root / FOLDER).rglob("*.yml")} - set(bundle.files)
    bundle.findings += [Finding(path, "no include names this file", "add it to `include`, or remove it") for path in sorted(unread)]
    return bundle


def _add(bundle: Bundle, file: Path) -> None:
    bundle.files.append(file)
    try:
        found = yaml.load((bundle.root / file).read_text(), _loader(file))  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        bundle.findings.append(Finding(file, f"not YAML: {getattr(error, 'problem', error)}", "correct it", mark.line + 1 if mark else 0))
        return
    bundle.findings += _merge(bundle.document, found or {})


def _merge(into: dict[str, Any], more: dict[str, Any]) -> Iterator[Finding]:
    """Sections are joined down to what they define; two files must not define the same."""
    for key, value in more.items():
        there = into.setdefault(key, value)
        if there is value:
            continue
        if key in ("resources", "jobs", "variables") and isinstance(there, dict) and isinstance(value, dict):
            yield from _merge(there, value)
        else:
            yield at(key, f"{key} is defined twice", "keep one of the two")


def _loader(file: Path) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        pass

    def text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Placed:
        return placed(loader.construct_scalar(node), file, node.start_mark.line + 1)

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := next((k for k in keys if keys.count(k) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice} is given twice", node.start_mark)
        made: dict[Any, Any] = {}
        yield made
        loader.flatten_mapping(node)
        made.update(loader.construct_mapping(node))

    Loader.add_constructor("tag:yaml.org,2002:str", text)
    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    return Loader
