"""Own rules for Terraform files, for what only `terraform validate` would find with the providers, and for what it would not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.checks import hcl
from infra.checks.finding import Finding
from infra.checks.hcl import Block, Folder, literal

ROOTS = ("azure", "databricks", "snowflake")
META = {"source", "version", "providers", "count", "for_each", "depends_on"}  # of a module call, not the module's
PINNED = re.compile(r"~> \d+\.\d+(\.\d+)?$")
RESOURCE = re.compile(r"(azurerm|databricks|snowflake)_\w+$")
SECRET = re.compile(
    r"BEGIN [A-Z ]*PRIVATE KEY|(AccountKey|SharedAccessKey|SharedAccessSignature)=[^\s\"$]|sig=[A-Za-z0-9%+/]{20}"
    r"|\b\w*(password|secret|token|access_key|private_key|connection_string)\s*=\s*\"[^\"$]{4,}\"",
    re.IGNORECASE,
)
FORGETS = ("delete_after", "tier_to_archive")  # of a lifecycle rule


def folder_rules(folder: Folder) -> Iterator[Finding]:
    """Of one module or root by itself."""
    yield from _variables(folder)
    yield from _outputs(folder)
    yield from _locals(folder)
    yield from _resources(folder)
    yield from _providers(folder)
    yield from _lifecycle(folder)


def between(folders: Mapping[Path, Folder], root: Path) -> Iterator[Finding]:
    """Of calls of modules, and of versions."""
    called: set[Path] = set()
    for folder in folders.values():
        for call in folder.of("module").values():
            target = _target(folder, call)
            if target is None or target not in folders:
                yield Finding(call.file, f"module {call.name} has no source among our folders", "source = ../modules/<name>", call.line)
                continue
            called.add(target)
            yield from _call(folder, call, folders[target])
        yield from _undeclared_modules(folder)
    for path in sorted(p for p in folders if p.parent.name == "modules" and p not in called):
        yield Finding(path, "no root calls this module", "call it, or remove it")
    yield from _versions(folders)


def _variables(folder: Folder) -> Iterator[Finding]:
    declared = folder.of("variable")
    for name, block in declared.items():
        for asked in ("type", "description"):
            if asked not in block.body:
                yield Finding(block.file, f"variable {name} has no {asked}", f"say its {asked}", block.line)
        if not any(r.parts[:2] == ("var", name) and not _within(r, block) for r in folder.references):
            yield Finding(block.file, f"variable {name} is not used", "use it, or remove it", block.line)
    yield from _dangling(folder, "var", declared, "declare it in variables.tf")


def _within(reference: hcl.Reference, block: Block) -> bool:
    return reference.file == block.file and block.line <= reference.line <= block.last


def _outputs(folder: Folder) -> Iterator[Finding]:
    for name, block in folder.of("output").items():
        if "description" not in block.body:
            yield Finding(block.file, f"output {name} has no description", "say what it is", block.line)


def _locals(folder: Folder) -> Iterator[Finding]:
    declared = folder.locals()
    for name, block in declared.items():
        if not any(r.parts[:2] == ("local", name) for r in folder.references):
            yield Finding(block.file, f"local {name} is not used", "use it, or remove it", block.line)
    yield from _dangling(folder, "local", declared, "define it in a locals block")


def _dangling(folder: Folder, head: str, declared: Mapping[str, Block], hint: str) -> Iterator[Finding]:
    for reference in folder.references:
        if reference.parts[0] == head and reference.parts[1] not in declared:
            yield Finding(reference.file, f"{head}.{reference.parts[1]} is not declared", hint, reference.line)


def _resources(folder: Folder) -> Iterator[Finding]:
    resources, data = folder.of("resource"), folder.of("data")
    for reference in folder.references:
        if reference.parts[0] == "data":
            name, known = ".".join(reference.parts[1:3]), data
        elif RESOURCE.match(reference.parts[0]):
            name, known = ".".join(reference.parts[:2]), resources
        else:
            continue
        if name not in known:
            yield Finding(reference.file, f"{name} is not declared", "declare it, or correct the name", reference.line)


def _providers(folder: Folder) -> Iterator[Finding]:
    pins = _pins(folder)
    where = folder.path / "versions.tf"
    if not any("required_version" in block.body for block in folder.blocks if block.kind == "terraform"):
        yield Finding(where, "no required_version of Terraform", 'required_version = ">= 1.9, < 2.0"')
    for name, (block, pin) in pins.items():
        if not PINNED.match(literal(pin.get("version")) or "") or not literal(pin.get("source")):
            yield Finding(block.file, f"provider {name} has no source or is not pinned", 'version = "~> MAJOR.MINOR"', block.line)
    used = {block.labels[0].split("_")[0]: block for block in folder.blocks if block.kind in ("resource", "data")}
    for name, block in used.items():
        if name not in pins:
            yield Finding(block.file, f"provider {name} is not required", "name it in required_providers of versions.tf", block.line)


def _pins(folder: Folder) -> dict[str, tuple[Block, dict[str, str]]]:
    return {
        name: (block, required[name])
        for block in folder.blocks
        if block.kind == "terraform"
        for required in block.body.get("required_providers", [])
        for name in hcl.keys(required)
    }


def _lifecycle(folder: Folder) -> Iterator[Finding]:
    for name, block in folder.of("resource").items():
        if block.labels[0] == "azurerm_storage_management_policy" and any(word in str(block.body) for word in FORGETS):
            hint = "only VACUUM knows what a table still has; a file in the archive cannot be read"
            yield Finding(block.file, f"{name} deletes or archives files of the lake by their age", hint, block.line)


def _target(folder: Folder, call: Block) -> Path | None:
    source = literal(call.body.get("source"))
    if source is None or not source.startswith("."):
        return None
    parts: list[str] = []
    for part in (*folder.path.parts, *source.split("/")):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return Path(*parts)


def _call(folder: Folder, call: Block, module: Folder) -> Iterator[Finding]:
    given, declared = set(hcl.keys(call.body)) - META, module.of("variable")
    for name in sorted(given - set(declared)):
        yield Finding(call.file, f"module {call.name} has no variable {name}", f"see {module.path / 'variables.tf'}", call.line)
    for name in sorted(n for n, block in declared.items() if n not in given and "default" not in block.body):
        yield Finding(call.file, f"module {call.name} is not given {name}", "give it: it has no default", call.line)
    outputs = module.of("output")
    for reference in folder.references:
        if reference.parts[:2] == ("module", call.name) and len(reference.parts) > 2 and reference.parts[2] not in outputs:
            what = f"module {call.name} has no output {reference.parts[2]}"
            yield Finding(reference.file, what, f"see {module.path / 'outputs.tf'}", reference.line)


def _undeclared_modules(folder: Folder) -> Iterator[Finding]:
    yield from _dangling(folder, "module", folder.of("module"), "call the module, or correct the name")


def _versions(folders: Mapping[Path, Folder]) -> Iterator[Finding]:
    first: dict[str, tuple[Path, str]] = {}
    for path, folder in folders.items():
        for name, (block, pin) in _pins(folder).items():
            version = str(pin.get("version"))
            where, known = first.setdefault(name, (path, version))
            if version != known:
                yield Finding(block.file, f"provider {name} is {version} here and {known} in {where}", "pin one version", block.line)


def secrets(file: Path, text: str) -> Iterator[Finding]:
    """Literals that look like secrets; an expression is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if SECRET.search(line):
            yield Finding(file, "this looks like a secret", "secrets are in Key Vault; name where to find one", number)
