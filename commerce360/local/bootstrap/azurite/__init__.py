"""Azurite, locked: npm installs it under `build/azurite` where a lake on ADLS is asked for. Needs Node.js on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from commerce360.errors import ConfigError, UnavailableError
from commerce360.local.bootstrap.paths import BUILD

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")
HOME = BUILD / "azurite"
PROGRAM = HOME / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
NODE = 18  # the oldest major version that Azurite 3.35 takes
LESS = "or leave `--lake adls` out"


def find_node() -> Path:
    """Raises ConfigError where there is none, or one that is too old."""
    found = shutil.which("node")
    if found is None:
        raise ConfigError("Node.js is not here, and Azurite needs it", f"install Node.js {NODE} or newer with npm, {LESS}")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    if not major.isdigit() or int(major) < NODE:
        raise ConfigError(f"Node.js at {found} is {said or 'of unknown version'}", f"install {NODE} or newer with npm, {LESS}")
    return Path(found)


def is_installed() -> bool:
    """As locked: what was locked then is copied beside it, last."""
    return PROGRAM.exists() and all((HOME / f).is_file() and (HOME / f).read_bytes() == (HERE / f).read_bytes() for f in FILES)


def install() -> None:
    """Nothing to do when it is there. Raises ConfigError without Node.js, UnavailableError when npm cannot fetch it."""
    find_node()
    if is_installed():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError("npm is not here, and Azurite comes with it", f"install Node.js {NODE} or newer with npm, {LESS}")
    shutil.rmtree(HOME, ignore_errors=True)
    part = HOME.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(HERE / name, part / name)
    options = ["--omit=dev", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]
    done = subprocess.run([npm, "ci", *options], cwd=part, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"npm cannot install Azurite: {done.stderr.strip()[-300:]}", "check the network and npm's registry")
    part.rename(HOME)
