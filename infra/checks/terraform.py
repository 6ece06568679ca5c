"""`infra/terraform`: form (terraform fmt), grammar and references (python-hcl2, own rules), names (the code's contracts), policy (checkov).

Not looked at: whether a provider knows an argument. That takes `terraform init` and `terraform validate`, with a way to a registry.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.checks import hcl, terraform_contracts, terraform_rules
from infra.checks.finding import Finding, Skipped

HOME = Path("infra/terraform")
SKIPS = HOME / "checkov-skips.yaml"
CHECKOV = Path("build/venv-checkov/bin/checkov")
TEXTS = ("*.tf", "*.hcl", "*.example", "*.yaml", "*.json")


def check(root: Path) -> Iterator[Finding | Skipped]:
    yield from form(root)
    yield from content(root)
    yield from policy(root)


def form(root: Path) -> Iterator[Finding | Skipped]:
    terraform = shutil.which("terraform")
    if terraform is None:
        yield Skipped("terraform fmt: terraform is not here")
        return
    done = subprocess.run(
        [terraform, "fmt", "-check", "-recursive", "-no-color", str(HOME)], cwd=root, capture_output=True, text=True, env=_plain()
    )
    for line in done.stdout.split():
        yield Finding(Path(line), "not formatted", f"terraform fmt -recursive {HOME}")
    if done.returncode not in (0, 3):
        yield Finding(HOME, f"terraform fmt: {' '.join(done.stderr.split())}", "correct what it names")


def _plain() -> dict[str, str]:
    """Without the user's own configuration of Terraform, which may name files that are not here."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("TF_")}, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}


def content(root: Path) -> Iterator[Finding]:
    """Without a subprocess."""
    folders: dict[Path, hcl.Folder] = {}
    for path in _folders(root):
        try:
            folders[path] = hcl.read(root, path)
        except hcl.InvalidHclError as error:
            yield Finding(error.file, f"not HCL: {error.message}", "terraform fmt says more", error.line)
            return
    for folder in folders.values():
        yield from terraform_rules.folder_rules(folder)
    yield from terraform_rules.between(folders, root)
    yield from terraform_contracts.rules(root, folders)
    for pattern in TEXTS:
        for file in sorted((root / HOME).rglob(pattern)):
            if ".terraform" not in file.parts:
                yield from terraform_rules.secrets(file.relative_to(root), file.read_text(encoding="utf-8"))


def _folders(root: Path) -> list[Path]:
    found = {file.parent.relative_to(root) for file in (root / HOME).rglob("*.tf") if ".terraform" not in file.parts}
    return sorted(found)


def policy(root: Path) -> Iterator[Finding | Skipped]:
    """Each finding of checkov is corrected, or stands in the list of skips with a reason; a skip that nothing needs is a finding."""
    tool = root / CHECKOV
    if not tool.is_file():
        yield Skipped(f"checkov: no {CHECKOV}")
        return
    command = [
        str(tool),
        "--directory",
        str(HOME),
        "--framework",
        "terraform",
        "--skip-download",
        "--quiet",
        "--compact",
        "--output",
        "json",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "ERROR"})
    try:
        said = json.loads(done.stdout)
    except ValueError:
        yield Finding(HOME, f"checkov gave no answer: {' '.join(done.stderr.split())[-300:]}", f"run {CHECKOV} by hand")
        return
    yield from judged(said, read_skips(root))


def read_skips(root: Path) -> list[dict[str, Any]]:
    file = root / SKIPS
    return list(yaml.safe_load(file.read_text(encoding="utf-8")) or []) if file.is_file() else []


def judged(said: dict[str, Any], skips: list[dict[str, Any]]) -> Iterator[Finding]:
    """`said` is checkov's answer."""
    if "results" not in said:
        yield Finding(HOME, "checkov looked at nothing", "are there resources in infra/terraform?")
        return
    needed: set[tuple[str, str]] = set()
    reasons = {(str(skip.get("check")), str(skip.get("resource"))): str(skip.get("reason") or "") for skip in skips}
    for failed in said["results"].get("failed_checks", []):
        key = (failed["check_id"], failed["resource"])
        needed.add(key)
        if not reasons.get(key):
            file, line = HOME / failed["file_path"].lstrip("/"), int(failed["file_line_range"][0])
            yield Finding(file, f"{key[0]} of {key[1]}: {failed['check_name']}", f"correct it, or say in {SKIPS.name} why not", line)
    for error in said["results"].get("parsing_errors", []):
        yield Finding(Path(error), "checkov cannot read it", "terraform fmt says more")
    for key in sorted(set(reasons) - needed):
        yield Finding(SKIPS, f"{key[0]} of {key[1]} is skipped and not found", "remove it from the list")
