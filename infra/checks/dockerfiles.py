"""The Dockerfiles: pinned base images, the same as docker-compose.yml names; nobody runs as root; what they copy is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.checks.compose_file import Compose, filled
from infra.checks.finding import Finding

FOLDER = Path("infra")
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
PINNED = re.compile(r"[a-z0-9][a-z0-9./_-]*:(?!latest\b)[\w.-]+(@sha256:[0-9a-f]{64})?")
SHARED = ("root", "0")


@dataclass(frozen=True)
class Instruction:
    line: int
    name: str
    rest: str


def check(root: Path) -> Iterator[Finding]:
    compose = Compose(root)
    for path in sorted((root / FOLDER).rglob("Dockerfile*")):
        file = path.relative_to(root)
        found = list(instructions(path.read_text(encoding="utf-8")))
        yield from _bases(file, found, compose)
        yield from _users(file, found, compose)
        yield from _copies(root, file, found)


def instructions(text: str) -> Iterator[Instruction]:
    """With continued lines joined; comments are left out."""
    joined, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not joined and not line.strip()):
            continue
        began = began or number
        joined += line.rstrip().removesuffix("\\") + " "
        if not line.rstrip().endswith("\\"):
            name, _, rest = joined.strip().partition(" ")
            yield Instruction(began, name.upper(), rest.strip())
            joined, began = "", 0


def _bases(file: Path, found: list[Instruction], compose: Compose) -> Iterator[Finding]:
    """A stage of this file, a build context that docker-compose.yml gives, or an image with a version."""
    builds = [b for s in compose.services.values() if (b := s.raw.get("build") or {}).get("dockerfile") == file.as_posix()]
    if not builds:
        yield Finding(file, "no service of docker-compose.yml builds it", "name it in a service's `build`")
    given = {name: filled(str(value)) for b in builds for name, value in (b.get("args") or {}).items()}
    stages = {name for b in builds for name in b.get("additional_contexts") or {}}
    defaults: dict[str, str] = {}
    for at in found:
        if at.name == "ARG":
            name, _, value = at.rest.partition("=")
            defaults.setdefault(name, value)
            if name.endswith("_IMAGE") and given.get(name) != value:
                what = f"{name} is {value}, and {given.get(name)} in docker-compose.yml"
                yield Finding(file, what, "the same on both sides", at.line)
        elif at.name == "FROM":
            words = VARIABLE.sub(lambda m: defaults.get(m[1], ""), at.rest).split()
            image = next(word for word in words if not word.startswith("--"))
            if image not in stages and not PINNED.fullmatch(image):
                yield Finding(file, f"the base image {image} is not pinned", "name its version", at.line)
            stages |= {words[-1]} if len(words) > 2 and words[-2].lower() == "as" else set()


def _users(file: Path, found: list[Instruction], compose: Compose) -> Iterator[Finding]:
    """Of every stage that is an image: those that docker-compose.yml builds, and the last."""
    builds = [b for s in compose.services.values() if (b := s.raw.get("build") or {}).get("dockerfile") == file.as_posix()]
    users: dict[str, Instruction] = {}  # what each stage says last, FROM itself where it says nothing
    stage = ""
    for at in found:
        if at.name == "FROM":
            words = at.rest.split()
            stage = words[-1] if len(words) > 2 and words[-2].lower() == "as" else ""
        if at.name in ("FROM", "USER"):
            users[stage] = at
    for name in {str(b["target"]) for b in builds if "target" in b} | {stage}:
        last = users.get(name)
        if last is None:
            yield Finding(file, f"there is no stage {name}", "docker-compose.yml names it as a target")
        elif last.name == "FROM" or last.rest.partition(":")[0] in SHARED:
            yield Finding(file, f"{name or 'it'} runs as root", "end with USER and an account of its own", last.line)


def _copies(root: Path, file: Path, found: list[Instruction]) -> Iterator[Finding]:
    allowed = [line[1:] for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    for at in found:
        if at.name not in ("COPY", "ADD") or "--from=" in at.rest:
            continue
        words = [word for word in shlex.split(at.rest) if not word.startswith("--")]
        for source in words[:-1]:
            if not (root / source).exists():
                yield Finding(file, f"{source} is not there", "copy what is in the checkout", at.line)
            elif not any(source == a or source.startswith(f"{a}/") for a in allowed):
                yield Finding(file, f"{source} is kept from the builder", "name it in .dockerignore", at.line)
