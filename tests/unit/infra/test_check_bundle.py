"""Each rule about the Databricks bundle finds the error that it is for; the files as they are have none."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.checks import bundle
from infra.checks.bundle import jobs, reading, references
from infra.checks.finding import Finding, Skipped

ROOT = Path(__file__).parents[3]
FOLDER = Path("infra/databricks")
MAIN, CLUSTERS = FOLDER / "databricks.yml", FOLDER / "resources" / "clusters.yml"
SERVICES, BACKFILLS = FOLDER / "resources" / "services.yml", FOLDER / "resources" / "backfills.yml"


@pytest.fixture(autouse=True)
def no_databricks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is on the path of some machines: here it is where a test puts it."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / FOLDER, root / FOLDER, ignore=shutil.ignore_patterns("dist", ".databricks"))
    for name in ("setup.cfg", "Makefile", "requirements/runtime.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


def found(root: Path) -> list[Finding]:
    return [f for f in bundle.check(root) if isinstance(f, Finding)]


def broken(root: Path, file: Path, old: str, new: str, place: int = 0) -> int:
    """Replace one occurrence; the line where it stands."""
    text = (root / file).read_text()
    parts = text.split(old)
    assert len(parts) > place + 1, f"{file} has no {old!r}"
    before = old.join(parts[: place + 1])
    (root / file).write_text(before + new + old.join(parts[place + 1 :]))
    return before.count("\n") + 1


def test_the_files_as_they_are_have_no_finding(checkout: Path) -> None:
    assert found(checkout) == []


def test_without_the_command_it_says_what_was_not_looked_at(checkout: Path) -> None:
    assert [str(s) for s in bundle.check(checkout) if isinstance(s, Skipped)] == [
        "skipped: bundle: the schema of Databricks, because there is no command `databricks`; see docs/databricks.md"
    ]


# File, what stands there, what stands there then, what is said of it; "<": where it was planted.
RULES: dict[str, tuple[Path, str, str, str, str]] = {
    "a field that no job has": (SERVICES, "      max_concurrent_runs: 1", "      max_runs: 1", "there is no field max_runs", "<"),
    "a kind that no field has": (SERVICES, "max_concurrent_runs: 1", 'max_concurrent_runs: "1"', "'1' is not of type 'integer'", "<"),
    "a word that the field does not know": (MAIN, "continuous_pause_status: UNPAUSED", "continuous_pause_status: ON", "pause_status", ""),
    "a schedule beside continuous": (
        SERVICES,
        "      max_concurrent_runs: 1",
        "      schedule: {quartz_cron_expression: '0 0 5 1 12 ?', timezone_id: UTC, pause_status: PAUSED}\n      max_concurrent_runs: 1",
        "continuous and schedule exclude each other",
        "",
    ),
    "a variable without a description": (
        MAIN,
        "    description: Whose public",
        "    # Whose public",
        "'description' is a required property",
        "",
    ),
    "a text that ends its quotes": (CLUSTERS, "/local_disk0/c360", "it's here", "does not match", "<"),
    "an include that names nothing": (MAIN, "resources/*.yml", "resource/*.yml", "include resource/*.yml names no file", "<"),
    "a file that is not YAML": (SERVICES, "resources:", "resources: [", "not YAML", ""),
    "a key given twice": (SERVICES, "      name: commerce360-lake", "      name: a\n      name: b", "name is given twice", ""),
    "a job defined twice": (BACKFILLS, "    backfill:\n", "    lake:\n", "lake is defined twice", ""),
    "a reference to no variable": (SERVICES, "${var.lake_cluster}", "${var.lake_clusters}", "${var.lake_clusters} means nothing", "<"),
    "a reference to no resource": (
        SERVICES,
        "description: Scores",
        "description: ${resources.jobs.none.id} Scores",
        "resources.jobs.none.id",
        "<",
    ),
    "a reference of a kind that is none": (SERVICES, "${var.alert_email}", "${variable.alert_email}", "means nothing", "<"),
    "a workspace field that is none": (SERVICES, "${workspace.file_path}", "${workspace.files}", "${workspace.files} means nothing", "<"),
    "variables in a circle": (MAIN, "default: Standard_D4ds_v5", "default: ${var.node_type_id}", "refers to itself", "<"),
    "a target's variable that nobody declares": (
        MAIN,
        "calendar_pause_status: UNPAUSED",
        "calendar_status: UNPAUSED",
        "nobody declares",
        "<",
    ),
    "a variable that nobody uses": (MAIN, "  sentiment_engine:", "  spare:\n    description: x\n  sentiment_engine:", "nobody uses", "<"),
    "an entry point that is none": (SERVICES, "entry_point: c360-lake", "entry_point: c360-lakes", "no entry point c360-lakes", "<"),
    "another package": (SERVICES, "package_name: commerce360", "package_name: commerce", "not of commerce", "<"),
    "a cluster that is none": (
        SERVICES,
        "          job_cluster_key: one_node",
        "          job_cluster_key: two",
        "has no cluster two",
        "<",
    ),
    "a cluster without a task": (
        SERVICES,
        "      tasks:",
        "        - job_cluster_key: spare\n          new_cluster: ${var.lake_cluster}\n      tasks:",
        "no task of commerce360-lake runs on spare",
        "<",
    ),
    "a task that waits for none": (
        BACKFILLS,
        "          max_retries: 0  # who",
        "          depends_on: [{task_key: other}]\n          max_retries: 0  # who",
        "has no other task other",
        "<",
    ),
    "a continuous job twice at a time": (SERVICES, "max_concurrent_runs: 1", "max_concurrent_runs: 2", "more than once at a time", ""),
    "a continuous job's task tried again": (SERVICES, "task_retry_mode: NEVER", "task_retry_mode: ON_FAILURE", "tries a task again", ""),
    "a wheel that nobody builds": (SERVICES, "whl: ../dist/*.whl", "whl: dist/*.whl", "no artifact builds the wheel of lake", "<"),
    "requirements that are not deployed": (SERVICES, "${workspace.file_path}/req", "../req", "does not take the pinned requirements", "<"),
    "a build that is no rule": (MAIN, "make -s wheel", "make -s wheels", "is no rule of the Makefile", "<"),
    "a build of another folder": (MAIN, "path: ../..", "path: ..", "there is nothing to build", "<"),
    "a parameter that the job lacks": (BACKFILLS, "job.parameters.from}", "job.parameters.first}", "has no parameter first", "<"),
    "an option that the command lacks": (BACKFILLS, "- --files=", "- --folder=", "No such option: --folder", ""),
    "a value that the command refuses": (BACKFILLS, "default: bronze", "default: silver", "'silver' is not one of", ""),
    "a switch that is no switch": (BACKFILLS, 'default: "false"', 'default: "no"', "--dry-run is 'no'", ""),
    "an option that the calendar lacks": (
        BACKFILLS,
        "- --year=",
        "- --first=",
        "does not take the parameters of commerce360-dim-date",
        "<",
    ),
    "years that are none": (BACKFILLS, 'default: "2"', 'default: "many"', "--years-ahead", ""),
    "a parameter of a service": (
        SERVICES,
        "entry_point: c360-loader",
        "entry_point: c360-loader\n            parameters: [--fast]",
        "it has no --fast",
        "",
    ),
    "something of a run that is not known": (BACKFILLS, "{{job.parameters.to}}", "{{job.start_time.iso_date}}", "no check here knows", "<"),
    "a setting that is none": (CLUSTERS, "C360_LAKE__ROOT", "C360_LAKE__ROOTS", "C360_LAKE__ROOTS is no setting", "<"),
    "a section for a setting": (CLUSTERS, "C360_LAKE__ROOT", "C360_LAKE", "C360_LAKE is no setting", "<"),
    "a value that the setting refuses": (CLUSTERS, "C360_LAKE__AUTH: principal", "C360_LAKE__AUTH: pass", "C360_LAKE__AUTH is 'pass'", "<"),
    "a number that is none": (
        CLUSTERS,
        'C360_WAREHOUSE__PORT: "443"',
        "C360_WAREHOUSE__PORT: https",
        "C360_WAREHOUSE__PORT is 'https'",
        "<",
    ),
    "a log switch that is none": (CLUSTERS, 'C360_LOG_JSON: "true"', "C360_LOG_JSON: perhaps", "C360_LOG_JSON is 'perhaps'", "<"),
    "a secret in the clear": (CLUSTERS, "secret://${var.secret_scope}/lake-kafka", "hunter2", "stands here in the clear", "<"),
    "a secret in a default": (
        MAIN,
        'empty without backfills from PostgreSQL.\n    default: ""',
        "empty without backfills from PostgreSQL.\n    default: hunter2",
        "C360_POSTGRES__PASSWORD_FILE stands here in the clear",
        "<",
    ),
    "a connection string in the clear": (CLUSTERS, "${var.mongo_uri}", "mongodb://u:p@h/", "C360_MONGO__URI stands here in the clear", "<"),
    "a reference to a secret without its key": (CLUSTERS, "/lake-client-secret", "", "C360_LAKE__CLIENT_SECRET_FILE names no secret", "<"),
    "a secret of Spark in the clear": (
        CLUSTERS,
        "        spark.databricks.cluster.profile",
        "        fs.azure.account.key.a.dfs.core.windows.net: abc\n        spark.databricks.cluster.profile",
        "may be a secret in the clear",
        "<",
    ),
    "a runtime that nobody looked at": (MAIN, "default: 18.x-scala2.13", "default: 17.3.x-scala2.13", "is no runtime", "<"),
    "access where sessions are others": (CLUSTERS, "SINGLE_USER", "USER_ISOLATION", "access mode USER_ISOLATION", "<"),
    "a single node that does not say so": (
        CLUSTERS,
        "ResourceClass: SingleNode",
        "ResourceClass: One",
        "does not say that it is a single node",
        "",
    ),
    "targets that share a folder": (
        MAIN,
        "root_path: ${var.deployments}/${bundle.name}/${bundle.target}\n    run_as: *run_as",
        "root_path: ${var.deployments}/${bundle.name}/staging\n    run_as: *run_as",
        "prod and staging share the root path",
        "",
    ),
    "a target that is gone": (MAIN, "  staging:", "  stage:", "there is no target staging", ""),
    "prod as whoever deploys": (MAIN, "    run_as: *run_as\n", "", "prod does not say which service principal", ""),
    "prod in a home folder": (
        MAIN,
        "${var.deployments}/${bundle.name}/${bundle.target}\n    run_as: *run_as",
        "~/${bundle.target}\n    run_as: *run_as",
        "the root path of prod is ~/prod",
        "",
    ),
    "prod without operators": (MAIN, "    permissions: *permissions\n", "", "nobody but who deployed prod", ""),
    "development that runs by itself": (
        MAIN,
        "      alert_email: ${workspace.current_user.userName}",
        "      alert_email: ${workspace.current_user.userName}\n      continuous_pause_status: UNPAUSED",
        "dev is for development",
        "",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_error_is_found(rule: str, checkout: Path) -> None:
    file, old, new, said, place = RULES[rule]
    line = broken(checkout, file, old, new)
    everything = found(checkout)
    findings = [f for f in everything if said in f.what]
    shown = [str(f) for f in everything]
    assert findings, shown
    assert all(f.hint for f in findings)
    if place:
        assert any(f.file == file and line <= f.line <= line + new.count("\n") for f in findings), shown


def test_a_bundle_that_is_gone_is_found(checkout: Path) -> None:
    (checkout / MAIN).unlink()
    assert [f.what for f in found(checkout)] == ["there is no bundle"]


def test_a_file_that_no_include_names_is_found(checkout: Path) -> None:
    (checkout / FOLDER / "more").mkdir()
    (checkout / FOLDER / "more" / "job.yml").write_text("resources: {}\n")
    assert [(f.file, f.what) for f in found(checkout)] == [(FOLDER / "more" / "job.yml", "no include names this file")]


def test_requirements_that_are_not_those_that_are_tested_are_found(checkout: Path) -> None:
    line = broken(checkout, jobs.REQUIREMENTS, "deltalake==1.6.6", "deltalake==1.0.0")
    assert [(f.file, f.what, f.line) for f in found(checkout)] == [(jobs.REQUIREMENTS, "deltalake is 1.0.0, tested is 1.6.6", line)]


def test_requirements_that_would_replace_spark_are_found(checkout: Path) -> None:
    line = broken(checkout, jobs.REQUIREMENTS, "deltalake==1.6.6", "pyspark==4.1.1")
    assert [(f.what, f.line) for f in found(checkout)] == [("pyspark would take the place of the runtime's own", line)]


def test_a_requirement_of_the_wheel_that_is_not_pinned_is_found(checkout: Path) -> None:
    broken(checkout, Path("setup.cfg"), "    rich>=15,<16\n", "    rich>=15,<16\n    attrs>=24\n")
    assert [f.what for f in found(checkout)] == ["setup.cfg asks for attrs, which is not pinned here"]


def test_requirements_that_are_gone_are_found(checkout: Path) -> None:
    (checkout / jobs.REQUIREMENTS).unlink()
    assert "there are no requirements" in [f.what for f in found(checkout)]


def test_a_pyspark_of_another_line_than_the_runtime_is_found(checkout: Path) -> None:
    broken(checkout, Path("setup.cfg"), "pyspark==4.1.1", "pyspark==4.0.2")
    assert "18.x-scala2.13 has Spark 4.1, setup.cfg's is 4.0" in [f.what for f in found(checkout)]


def test_a_python_that_the_wheel_is_not_for_is_found(checkout: Path) -> None:
    broken(checkout, Path("setup.cfg"), "    Programming Language :: Python :: 3.12\n", "")
    assert "18.x-scala2.13 has Python 3.12, which setup.cfg does not name" in [f.what for f in found(checkout)]


def with_command(tmp_path: Path, script: str) -> None:
    command = tmp_path / "bin" / "databricks"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_where_the_command_is_its_schema_is_asked(checkout: Path, tmp_path: Path) -> None:
    """Also with expressions that only other languages have."""
    pattern = r'"^\\$\\{(var(\\.\\p{L}+([-_]*[\\p{L}\\p{N}]+)*)+)\\}$"'
    cluster = f'{{"properties": {{"new_cluster": {{"pattern": {pattern}}}}}}}'
    job = f'{{"properties": {{"queue": {{"type": "string"}}, "job_clusters": {{"items": {cluster}}}}}}}'
    schema = f'{{"properties": {{"resources": {{"properties": {{"jobs": {{"additionalProperties": {job}}}}}}}}}}}'
    with_command(tmp_path, f"test \"$*\" = 'bundle schema' && printf '%s' '{schema.replace(chr(92), chr(92))}'")
    findings = found(checkout)
    assert {(f.file, f.what.partition(":")[0]) for f in findings} == {
        (BACKFILLS, "resources/jobs/backfill/queue"),
        (BACKFILLS, "resources/jobs/warehouse_backfill/queue"),
    }
    assert all("installed" in f.hint for f in findings)


def test_a_command_that_fails_is_said(checkout: Path, tmp_path: Path) -> None:
    with_command(tmp_path, "echo no licence >&2; exit 3")
    assert [str(s) for s in bundle.check(checkout) if isinstance(s, Skipped)] == [
        "skipped: bundle: `databricks bundle schema` left with 3: no licence"
    ]


@pytest.fixture
def engine() -> Any:
    spec = importlib.util.spec_from_file_location("c360_engine", ROOT / "airflow" / "dags" / "c360_engine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("command", "entry"), [(("backfill",), "c360-backfill"), (("warehouse", "backfill"), "c360-warehouse-backfill")])
@pytest.mark.parametrize("dry", [True, False])
def test_what_airflow_hands_over_is_taken(command: tuple[str, ...], entry: str, dry: bool, engine: Any) -> None:
    """The job is found by its name, knows every parameter that is sent, and does what the command would do here."""
    request = engine.Request(command=command, first="2026-11-03", last="2026-11-03", tables=("dim_product", "fct_sales"), dry_run=dry)
    document = reading.read(ROOT).document
    job = next(j for j in document["resources"]["jobs"].values() if j["name"] == "commerce360-" + "-".join(command))
    sent = request.parameters()
    assert sent.keys() == {p["name"] for p in job["parameters"]}
    given = [jobs.PARAMETER.sub(lambda m: sent[m[1]], text) for text in job["tasks"][0]["python_wheel_task"]["parameters"]]
    assert jobs.refused(entry, tuple(given)) == ""


def test_names_of_variables_are_those_of_settings() -> None:
    """So that `C360_LAKE__ROOT` is found as lake_root."""
    declared = reading.read(ROOT).document["variables"]
    for cluster in (v["default"] for n, v in declared.items() if n.endswith("_cluster")):
        for name, value in cluster["spark_env_vars"].items():
            whole = references.REFERENCE.fullmatch(value)
            if whole:
                assert whole[1] == "var." + name.removeprefix("C360_").lower().replace("__", "_")


def test_the_page_names_every_variable_that_has_to_be_given() -> None:
    declared = reading.read(ROOT).document["variables"]
    page = (ROOT / "docs" / "databricks.md").read_text().partition("variable-overrides.json`:")[2].partition("A setting's")[0]
    assert set(json.loads(page)) == {name for name, variable in declared.items() if "default" not in variable}


def test_the_page_names_every_secret() -> None:
    text = (ROOT / CLUSTERS).read_text()
    page = (ROOT / "docs" / "databricks.md").read_text()
    keys = set(re.findall(r"secret://\$\{var\.secret_scope\}/(\S+)", text))
    assert keys
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []
