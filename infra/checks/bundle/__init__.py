"""The Databricks bundle: its form, its references, its jobs, what they know and how they are called, for each target.

Databricks' own schema may not be kept here (Databricks License); it is asked for where its command is installed, and all files are held
against `schema.json`, which says the same of the fields that are used.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from infra.checks.bundle import clusters, jobs, targets
from infra.checks.bundle.reading import Bundle, Placed, at, read
from infra.checks.bundle.references import References, names_in
from infra.checks.finding import Finding, Skipped

SCHEMA = Path(__file__).with_name("schema.json")


def check(root: Path) -> Iterator[Finding | Skipped]:
    bundle = read(root)
    yield from bundle.findings
    if not bundle.findings:
        yield from dict.fromkeys(_whole(bundle))  # what is wrong for every target is said once


def _whole(bundle: Bundle) -> Iterator[Finding | Skipped]:
    yield from of_databricks(bundle)
    yield from _unused(bundle)
    for target in bundle.document.get("targets", {}):
        references = References(bundle, target)
        found = references.resolve({k: v for k, v in bundle.document.items() if k not in ("variables", "targets")})
        chosen = references.resolve(bundle.document["targets"][target])
        yield from references.findings
        wrong = list(_misformed({**found, "variables": bundle.document.get("variables", {}), "targets": {target: chosen}}))
        yield from wrong
        if not wrong:
            yield from jobs.check(bundle.root, found)
            yield from clusters.check(bundle.root, found)
    yield from targets.check(bundle)


def _misformed(document: dict[str, Any]) -> Iterator[Finding]:
    for error in Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document):
        yield _as_finding(document, best_match([error]) or error, "see the fields of that kind in infra/checks/bundle/schema.json")


def _as_finding(document: Any, error: ValidationError, hint: str) -> Finding:
    """Where the key nearest to the error stands."""
    place: Any = None
    here = document
    for step in error.absolute_path:
        if isinstance(here, dict):
            place = next((key for key in here if key == step), place)
        here = here[step]
    said = error.message
    if error.validator == "additionalProperties":
        place = next((key for key in here if key not in error.schema["properties"]), place)
        said = f"there is no field {place}"
    elif error.validator == "not":
        said = f"{' and '.join(error.validator_value['required'])} exclude each other"
    path = "/".join(str(step) for step in error.absolute_path) or "the bundle"
    return at(here if isinstance(here, Placed) else place, f"{path}: {said[:300]}", hint)


def _unused(bundle: Bundle) -> Iterator[Finding]:
    declared = bundle.document.get("variables", {})
    used = set(names_in({k: v for k, v in bundle.document.items() if k != "variables"})) | set(names_in(list(declared.values())))
    for name in declared:
        if name not in used:
            yield at(name, f"nobody uses the variable {name}", "remove it, or use it")


def of_databricks(bundle: Bundle) -> Iterator[Finding | Skipped]:
    """By the schema that the command of this machine prints, if there is one."""
    command = shutil.which("databricks")
    if command is None:
        yield Skipped("bundle: the schema of Databricks, because there is no command `databricks`; see docs/databricks.md")
        return
    printed = subprocess.run([command, "bundle", "schema"], capture_output=True, text=True, timeout=60, check=False)
    if printed.returncode:
        yield Skipped(f"bundle: `databricks bundle schema` left with {printed.returncode}: {printed.stderr.strip()[:200]}")
        return
    validator = Draft7Validator(json.loads(_without_properties(printed.stdout)))
    for file in bundle.files:
        document = yaml.safe_load((bundle.root / file).read_text())
        for error in validator.iter_errors(document):
            nearest = best_match([error]) or error
            path = "/".join(map(str, nearest.absolute_path))
            yield Finding(file, f"{path}: {nearest.message[:300]}", "by the schema of the installed `databricks`")


def _without_properties(schema: str) -> str:
    r"""Python's expressions have no `\p{L}` and `\p{N}`."""
    return re.sub(r"\\\\p\{L\}", r"[^\\\\W\\\\d_]", schema.replace(r"[\\p{L}\\p{N}]", r"[^\\W_]"))
