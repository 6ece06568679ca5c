"""Tasks of the bundle's jobs: what they name is there, and the entry points take the parameters that they are given."""

from __future__ import annotations

import configparser
import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer

from commerce360 import databricks
from commerce360.cli.main import app
from commerce360.errors import C360Error
from infra.checks.bundle.reading import FOLDER, at
from infra.checks.finding import Finding

PARAMETER = re.compile(r"\{\{job\.parameters\.([A-Za-z0-9_.-]+)\}\}")
DYNAMIC = re.compile(r"\{\{.*?\}\}")
SAMPLES = {"table": "fct_sales", "from": "2026-11-01", "to": "2026-11-07", "year": "2026"}  # of what only a run can know
REQUIREMENTS = FOLDER / "requirements.txt"
OF_THE_RUNTIME = ("pyspark", "delta-spark", "pandas", "numpy", "packaging", "pyarrow")
A_YEAR = 2026


def check(root: Path, found: dict[str, Any]) -> Iterator[Finding]:
    """`found`: the bundle with its references put in, of the right form."""
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg")
    points = [line.partition("=")[0].strip() for line in setup["options.entry_points"]["console_scripts"].strip().splitlines()]
    for job in found["resources"]["jobs"].values():
        yield from _names(job)
        yield from _continuous(job)
        for task in job["tasks"]:
            yield from _entry_point(setup["metadata"]["name"], points, task["python_wheel_task"])
            yield from _libraries(found, task)
            yield from _parameters(job, task)
    yield from _artifacts(root, found["artifacts"])
    yield from _pins(root, setup["options"]["install_requires"])


def _names(job: dict[str, Any]) -> Iterator[Finding]:
    keys, clusters = [t["task_key"] for t in job["tasks"]], [c["job_cluster_key"] for c in job["job_clusters"]]
    for names in (keys, clusters):
        for name in {n for n in names if names.count(n) > 1}:
            yield at(name, f"{name} is there twice in {job['name']}", "names in a job differ")
    for task in job["tasks"]:
        if task["job_cluster_key"] not in clusters:
            yield at(task["job_cluster_key"], f"{job['name']} has no cluster {task['job_cluster_key']}", f"one of {', '.join(clusters)}")
        for other in task.get("depends_on", ()):
            if other["task_key"] not in keys or other["task_key"] == task["task_key"]:
                yield at(other["task_key"], f"{job['name']} has no other task {other['task_key']}", f"one of {', '.join(keys)}")
    for name in set(clusters) - {t["job_cluster_key"] for t in job["tasks"]}:
        yield at(name, f"no task of {job['name']} runs on {name}", "remove the cluster")


def _continuous(job: dict[str, Any]) -> Iterator[Finding]:
    if "continuous" not in job:
        return
    if job["max_concurrent_runs"] != 1:
        yield at(
            job["name"], f"{job['name']} would run more than once at a time", "set max_concurrent_runs: 1; it is the only one of its kind"
        )
    retried = [t for t in job["tasks"] if t.get("max_retries")]
    if job["continuous"]["task_retry_mode"] != "NEVER" or retried:
        yield at(
            job["name"],
            f"{job['name']} tries a task again on the same cluster, where the first one may still write",
            "set task_retry_mode: NEVER, and no max_retries; a new run follows by itself",
        )


def _entry_point(package: str, points: Sequence[str], task: dict[str, Any]) -> Iterator[Finding]:
    if task["package_name"] != package:
        yield at(task["package_name"], f"the wheel is of {package}, not of {task['package_name']}", f"write {package}")
    if task["entry_point"] not in points:
        yield at(task["entry_point"], f"setup.cfg has no entry point {task['entry_point']}", f"one of {', '.join(points)}")


def _libraries(found: dict[str, Any], task: dict[str, Any]) -> Iterator[Finding]:
    built = [_joined(FOLDER / file["source"]) for artifact in found["artifacts"].values() for file in artifact["files"]]
    given = {kind: path for library in task["libraries"] for kind, path in library.items()}
    wheel, pinned = given.get("whl"), given.get("requirements")
    if wheel is None or _joined(getattr(wheel, "file", FOLDER / "?").parent / wheel) not in built:
        yield at(wheel or task["task_key"], f"no artifact builds the wheel of {task['task_key']}: {wheel}", "name that of `artifacts`")
    if pinned is None or not pinned.endswith(f"/files/{REQUIREMENTS.name}"):
        hint = f"${{workspace.file_path}}/{REQUIREMENTS.name}"
        yield at(pinned or task["task_key"], f"{task['task_key']} does not take the pinned requirements: {pinned}", hint)


def _joined(path: Path) -> str:
    parts = list[str]()
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _artifacts(root: Path, artifacts: dict[str, Any]) -> Iterator[Finding]:
    for artifact in artifacts.values():
        folder = root / _joined(FOLDER / artifact.get("path", "."))
        if not (folder / "setup.cfg").is_file():
            yield at(artifact.get("path"), f"there is nothing to build in {artifact.get('path')}", "the folder of setup.cfg")
            continue
        program, *words = artifact["build"].split()
        goals = [word for word in words if not word.startswith("-")]
        rules = re.findall(r"^([\w-]+):", (folder / "Makefile").read_text(), re.MULTILINE)
        if program != "make" or not goals or set(goals) - set(rules):
            yield at(artifact["build"], f"`{artifact['build']}` is no rule of the Makefile", "make wheel")


def _parameters(job: dict[str, Any], task: dict[str, Any]) -> Iterator[Finding]:
    wheel = task["python_wheel_task"]
    given, entry = wheel.get("parameters", []), wheel["entry_point"]
    defaults = {p["name"]: p["default"] for p in job.get("parameters", ())}
    asked = [(text, name) for text in given for name in PARAMETER.findall(text)]
    if missing := [(text, name) for text, name in asked if name not in defaults]:
        text, name = missing[0]
        yield at(text, f"{job['name']} has no parameter {name}", f"one of {', '.join(defaults)}")
        return
    if other := next((t for t in given if DYNAMIC.search(PARAMETER.sub("", t))), None):
        yield at(other, f"{other} names something of a run that no check here knows", "hand it on as a job parameter")
        return
    samples = {n: d or SAMPLES.get(n, "") for n, d in defaults.items()}
    for values in (samples, {**samples, "dry_run": "true"} if "dry_run" in samples else samples):
        line = [PARAMETER.sub(lambda m, v=values: v[m[1]], text) for text in given]  # type: ignore[misc]
        if said := refused(entry, tuple(line)):
            place = next((t for t in given if t.partition("=")[0] in said), given[0] if given else wheel["entry_point"])
            yield at(place, f"{entry} does not take the parameters of {job['name']}: {said}", f"see `{entry} --help`")
            return


@cache
def refused(entry: str, given: tuple[str, ...]) -> str:
    """Why the entry point would not begin with these parameters; empty when it would. Nothing is run but its parser."""
    if entry not in databricks.COMMANDS:
        return f"it has no {given[0]}" if given else ""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            line = databricks.command_line(entry, given, A_YEAR)
        command: Any = typer.main.get_command(app)
        for name in databricks.COMMANDS[entry]:
            command = command.commands[name]
        command.make_context(entry, line[len(databricks.COMMANDS[entry]) :])
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    except C360Error as error:
        return error.message
    except Exception as error:
        if not hasattr(error, "format_message"):  # usage errors of Typer's own Click
            raise
        return str(error.format_message())
    return ""


def _pins(root: Path, needed: str) -> Iterator[Finding]:
    """The cluster gets the versions that are tested here, and keeps its own Spark and what that is built with."""
    if not (root / REQUIREMENTS).is_file():
        yield Finding(REQUIREMENTS, "there are no requirements", "make lock")
        return
    ours, theirs = (dict(_pinned(path)) for path in (root / "requirements" / "runtime.txt", root / REQUIREMENTS))
    for name in re.findall(r"^[A-Za-z0-9._-]+", needed, re.MULTILINE):
        if name.lower() not in theirs:
            yield Finding(REQUIREMENTS, f"setup.cfg asks for {name}, which is not pinned here", "make lock")
    for number, line in enumerate((root / REQUIREMENTS).read_text().splitlines(), 1):
        name, is_pin, version = line.partition("==")
        version = version.split()[0] if is_pin else ""
        if not is_pin or line.startswith((" ", "#")):
            continue
        if name in OF_THE_RUNTIME:
            yield Finding(REQUIREMENTS, f"{name} would take the place of the runtime's own", "leave it out (Makefile, lock)", number)
        elif version not in ours.get(name, {version}):
            yield Finding(REQUIREMENTS, f"{name} is {version}, tested is {', '.join(sorted(ours[name]))}", "make lock", number)


def _pinned(path: Path) -> Iterator[tuple[str, set[str]]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    yield from found.items()
