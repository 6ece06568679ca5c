"""Rules that hold Terraform's files against the code: names of settings, topics, and of what is in the warehouse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from commerce360.environment_file import names_of_settings
from infra.checks import contracts, hcl
from infra.checks.finding import Finding
from infra.checks.hcl import Block, Folder
from warehouse import account

HOME = Path("infra/terraform")
ACCOUNT = Path("infra/snowflake/account.sql")
SETTING = re.compile(r"\bC360_[A-Z_]+\b")
TOPIC = re.compile(r'"((?:oltp|web|shop|ai|ops|dlq)\.[a-z_]+\.[a-z_]+)"')
USER = re.compile(r'"(C360_[A-Z]+)"')
TABLE_OF = "terraform output -json {name} > ../{name}/azure.auto.tfvars.json"


def rules(root: Path, folders: Mapping[Path, Folder]) -> Iterator[Finding]:
    yield from _current(root)
    for folder in folders.values():
        yield from _settings(folder)
    yield from _handed_over(folders)
    yield from _literals(root)
    yield from _account(root)
    yield from _backends(root, folders)


def _current(root: Path) -> Iterator[Finding]:
    file = root / contracts.FILE
    if not file.is_file() or file.read_text(encoding="utf-8") != contracts.text(root):
        yield Finding(contracts.FILE, "it is not what schemas/ says of topics and the warehouse", "python -m infra.checks.contracts")


def _settings(folder: Folder) -> Iterator[Finding]:
    """Keys of outputs that `c360 config import` takes, and of the locals that they are made from."""
    known = names_of_settings()
    blocks = [b for name, b in folder.of("output").items() if name.startswith("c360_settings")]
    for block in (*blocks, *(b for b in folder.blocks if b.kind == "locals")):
        for name in sorted(set(_setting_keys(block.body)) - known):
            yield Finding(block.file, f"{name} is no setting", "see commerce360/settings.py", block.line)


def _setting_keys(value: object) -> Iterator[str]:
    """Of nested objects; those in an expression are text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from SETTING.findall(key) if SETTING.fullmatch(key.strip('"')) else ()
            yield from _setting_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _setting_keys(inner)
    elif isinstance(value, str):
        yield from (m for m in re.findall(r"\b(C360_[A-Z_]+)\s*=", value))


def _handed_over(folders: Mapping[Path, Folder]) -> Iterator[Finding]:
    """An output of the root `azure` that is named after another root is that root's variables."""
    azure = folders.get(HOME / "azure")
    for name in ("databricks", "snowflake"):
        if azure is None or name not in azure.of("output") or HOME / name not in folders:
            yield Finding(HOME / "azure/outputs.tf", f"no output {name} for the root {name}", TABLE_OF.format(name=name))
            continue
        yield from _one_handed_over(azure.of("output")[name], folders[HOME / name].of("variable"), name)


def _one_handed_over(output: Block, variables: Mapping[str, Block], name: str) -> Iterator[Finding]:
    given = output.body.get("value")
    for key in sorted(set(hcl.keys(given if isinstance(given, dict) else {})) - set(variables)):
        yield Finding(
            output.file, f"output {name}: the root {name} has no variable {key}", f"see {HOME / name / 'variables.tf'}", output.line
        )


def _literals(root: Path) -> Iterator[Finding]:
    """Names that stand in a root by hand."""
    made = contracts.made(root)
    for line, name in _found(root / HOME / "azure/main.tf", TOPIC):
        if name not in made["topics"]:
            yield Finding(HOME / "azure/main.tf", f"{name} is no topic", "see schemas/topics.py", line)
    for file in ("main.tf", "outputs.tf"):
        for line, name in _found(root / HOME / "snowflake" / file, USER):
            if name not in made["snowflake"]["users"]:
                yield Finding(HOME / "snowflake" / file, f"{name} is no user of the warehouse", "see schemas/access.py", line)


def _found(file: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        for name in pattern.findall(text):
            yield number, name


def _account(root: Path) -> Iterator[Finding]:
    """The script and the contracts say the same; either may be used on an account."""
    script = (root / ACCOUNT).read_text(encoding="utf-8")
    file = root / contracts.FILE
    given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("snowflake", {}) if file.is_file() else {}
    for kind, plural in (("ROLE", "roles"), ("USER", "users"), ("WAREHOUSE", "warehouses")):
        made = set(re.findall(rf"CREATE {kind} IF NOT EXISTS (\w+)", script))
        if made != (said := set(given.get(plural, {}))):
            what = f"{plural} differ from {ACCOUNT}: {', '.join(sorted(made ^ said))}"
            yield Finding(contracts.FILE, what, "both are made from schemas/access.py: `make docs`")
    for warehouse, timeout in re.findall(r"ALTER WAREHOUSE (\w+) SET\s[^;]*STATEMENT_TIMEOUT_IN_SECONDS = (\d+)", script):
        if given.get("warehouses", {}).get(warehouse, {}).get("statement_timeout_s") != int(timeout):
            yield Finding(contracts.FILE, f"{warehouse} has another timeout than in {ACCOUNT}", "see warehouse/account.py: `make docs`")
    for name in (account.MONITOR, account.NETWORK, given.get("monitor"), given.get("network_policy")):
        if not name or name not in script:
            yield Finding(contracts.FILE, f"{name} is not in {ACCOUNT}", "see warehouse/account.py: `make docs`")


def _backends(root: Path, folders: Mapping[Path, Folder]) -> Iterator[Finding]:
    for path, folder in folders.items():
        if path.parent == HOME and not any("backend" in b.body for b in folder.blocks if b.kind == "terraform"):
            yield Finding(path / "versions.tf", "no remote state", 'backend "azurerm" {}, see backend.hcl.example')
        if path.parent == HOME and not (root / path / "backend.hcl.example").is_file():
            yield Finding(path / "backend.hcl.example", "it is missing", "say where the state goes")
