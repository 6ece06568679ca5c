"""The wheel that is built from this checkout, unpacked where nothing else of it is."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("bi", "commerce360", "connect_configs", "producers", "schemas", "stream_jobs", "warehouse")
PATIENCE_S = 500  # on a busy machine
CALL_EACH = """
import importlib, importlib.metadata, sys
found = next(d for d in importlib.metadata.distributions(path=[sys.argv[1]]) if d.metadata["Name"] == "commerce360")
for point in found.entry_points:
    called = point.load()
    assert sys.modules[point.module].__file__.startswith(sys.argv[1]), sys.modules[point.module].__file__
    sys.argv[1:], kept = ["--help"], sys.argv[1:]
    print("===", point.name)
    try:
        called()
    except SystemExit as left:
        assert point.name == "c360" and not left.code
    sys.argv[1:] = kept
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(target)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=PATIENCE_S)
    wheel = next(target.glob("*.whl"))
    assert wheel.name.endswith("-py3-none-any.whl")
    zipfile.ZipFile(wheel).extractall(target / "alone")
    return target / "alone"


def test_it_has_every_file_of_every_package(unpacked: Path) -> None:
    """Also those in folders without code: schemas, migrations, the page, the workbook."""

    def files(root: Path) -> set[str]:
        return {str(p.relative_to(root)) for name in PACKAGES for p in (root / name).rglob("*") if p.is_file() and p.suffix != ".pyc"}

    assert files(ROOT) - files(unpacked) == set()


def test_it_has_the_entry_points_of_setup_cfg(unpacked: Path) -> None:
    setup, wheel = configparser.ConfigParser(), configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wheel.read(next(unpacked.glob("*.dist-info")) / "entry_points.txt")
    written = [line.partition(" = ")[::2] for line in setup["options.entry_points"]["console_scripts"].strip().splitlines()]
    assert dict(wheel["console_scripts"]) == dict(written)


def test_each_entry_point_answers_from_the_wheel_alone(unpacked: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"}
    line = [sys.executable, "-c", CALL_EACH, str(unpacked)]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("c360-lake", "c360-sentiment", "c360-loader", "c360-backfill", "c360-warehouse-backfill", "c360-dim-date"):
        answer = done.stdout.partition(f"=== {name}\n")[2].partition("===")[0].lower()
        assert "usage:" in answer, name
