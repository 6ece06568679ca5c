"""The committed monitoring has no fault; each rule finds the one that is planted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from commerce360.telemetry.declared import METRICS
from infra.checks import monitoring
from infra.checks.finding import Finding, Skipped
from infra.checks.promql import Reading, known

ROOT = Path(__file__).resolve().parents[3]
LAKE, OVERVIEW = monitoring.DASHBOARDS / "lake.json", monitoring.DASHBOARDS / "overview.json"


def found(root: Path) -> list[Finding]:
    return [f for f in monitoring.check(root) if isinstance(f, Finding)]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of this checkout; without promtool, which has its own test."""
    for path in (monitoring.FOLDER, monitoring.RUNBOOK):
        shutil.copytree(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / monitoring.METRICS_PAGE, tmp_path / monitoring.METRICS_PAGE)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return tmp_path


def edit(root: Path, file: Path, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


def edit_board(root: Path, file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    board = json.loads((root / file).read_text())
    change(board)
    (root / file).write_text(json.dumps(board, indent=2))


def test_the_committed_files_have_no_fault() -> None:
    assert found(ROOT) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        (monitoring.ALERTS, "c360_loader_lag_batches > 100", "c360_loader_lag_rows > 100", "there is no metric c360_loader_lag_rows"),
        (monitoring.ALERTS, 'lag_records{topic="ops.lake.backfill"}', 'lag_records{table="x"}', "c360_lake_lag_records has no label table"),
        (monitoring.ALERTS, 'verdict="stalled"', 'verdict="stuck"', "verdict of c360_loader_verdict is never 'stuck'"),
        (monitoring.ALERTS, 'up{job="lake"}', 'up{job="lakes"}', "job of up is never 'lakes'"),
        (monitoring.ALERTS, "sum by (topic) (increase", "sum by (table) (increase", "which its operand has not"),
        (monitoring.ALERTS, "sum by (topic) (increase", "sum by (topic) ((increase", "no PromQL"),
        (monitoring.ALERTS, "increase(c360_loader_interruptions_total[10m])", "rate(c360_loader_failures[10m])", "which is no counter"),
        (
            monitoring.ALERTS,
            "sum by (le) (rate(c360_lake_batch_seconds_bucket",
            "sum by (job) (rate(c360_lake_batch_seconds_bucket",
            "label le",
        ),
        (monitoring.ALERTS, "rate(c360_lake_batch_seconds_bucket", "rate(c360_lake_batch_seconds_sum", "no bucket of a histogram"),
        (monitoring.ALERTS, "Records of {{ $labels.topic }}", "Records of {{ $labels.table }}", "table is no label of the result"),
        (monitoring.ALERTS, "severity: critical", "severity: loud", "has no severity of critical, warning"),
        (monitoring.ALERTS, "alert: LoaderDown", "alert: LakeJobDown", "is there more than once"),
        (monitoring.ALERTS, "alert: LoaderDown", "alert: LoaderGone", "is not raised by any test"),
        (monitoring.ALERTS, "runbook_url: docs/runbook/lake-job-down.md", "runbook_url: docs/lake.md", "has no runbook_url"),
        (
            monitoring.ALERTS,
            "docs/runbook/lake-job-down.md",
            "docs/runbook/lake-is-gone.md",
            "leads to docs/runbook/lake-is-gone.md, which is missing",
        ),
        (monitoring.ALERTS, "        for: 1m\n", "", "does not say for how long"),
        (monitoring.ALERTS, "          summary: The lake job", "          text: The lake job", "has no summary"),
        (monitoring.ALERTS, "groups:", "groups: [", "cannot be read"),
        (monitoring.TESTS, "tests:", "tests: {", "cannot be read"),
        (monitoring.PROMETHEUS, "job_name: loader", "job_name: lake", "job lake is there 2 times"),
        (monitoring.PROMETHEUS, "lake:9360", "lakes:9360", "job lake asks lakes"),
        (monitoring.PROMETHEUS, "alerts.yml", "alarms.yml", "the rules alarms.yml are missing"),
        (monitoring.METRICS_PAGE, "`c360_lake_lag_records`", "`c360_lake_lag`", "c360_lake_lag_records is not on the page"),
        (monitoring.RUNBOOK / "README.md", "(disk-full.md)", "(disk-fuller.md)", "leads to disk-fuller.md, which is missing"),
        (monitoring.GRAFANA / "provisioning/datasources/prometheus.yml", "apiVersion: 1", "apiVersion: 2", "is no file of datasources"),
        (LAKE, "c360_lake_stage_seconds", "c360_lake_step_seconds", "there is no metric c360_lake_step_seconds"),
        (LAKE, "{{stage}}", "{{step}}", "step is no label of the result"),
        (LAKE, '"schemaVersion": 41', '"schemaVersion": 16', "has schemaVersion 16"),
        (LAKE, '"uid": "c360-lake"', '"uid": "c360-overview"', "uid c360-overview is that of another dashboard"),
        (LAKE, '"title": "Batch"', '"title": "Last batch"', "2 panels have the title 'Last batch'"),
        (LAKE, '"type": "datasource"', '"type": "textbox"', "has no variable `datasource`"),
        (LAKE, '"uid": "c360-lake"', '"uid": "c360-lake', "cannot be read"),
    ],
)
def test_a_planted_fault_is_found(copy: Path, file: Path, old: str, new: str, what: str) -> None:
    edit(copy, file, old, new)
    told = [f for f in found(copy) if what in f.what]
    assert told, "\n".join(map(str, found(copy)))
    assert all(f.hint for f in told)
    assert {f.file for f in told} <= {file, monitoring.ALERTS, LAKE, OVERVIEW}


def test_a_fault_in_an_alert_or_a_panel_has_its_line(copy: Path) -> None:
    edit(copy, monitoring.ALERTS, "c360_loader_lag_batches > 100", "c360_x > 100")
    edit(copy, LAKE, "c360_lake_stage_seconds", "c360_y")
    lines = {f.file: (copy / f.file).read_text().splitlines()[f.line - 1] for f in found(copy) if "there is no metric" in f.what}
    assert "alert: LoaderBehind" in lines[monitoring.ALERTS]
    assert '"expr": "c360_y"' in lines[LAKE]


def panel(board: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = board["panels"][0]
    return found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda b: panel(b).pop("description"), "has no description"),
        (lambda b: panel(b)["fieldConfig"]["defaults"].pop("unit"), "has no unit"),
        (lambda b: panel(b)["fieldConfig"]["defaults"].pop("thresholds"), "has no thresholds"),
        (lambda b: panel(b).update(targets=[]), "asks nothing"),
        (lambda b: panel(b)["targets"][0].update(datasource={"uid": "abc"}), "has a data source that is not ${datasource}"),
        (lambda b: panel(b)["gridPos"].update(w=24), "overlap"),
        (lambda b: panel(b).update(id=2), "2 panels have the id 2"),
        (lambda b: b.pop("title"), "has no title or no uid"),
    ],
)
def test_a_panel_that_nobody_can_read_is_found(copy: Path, change: Callable[[dict[str, Any]], object], what: str) -> None:
    edit_board(copy, LAKE, change)
    assert [f for f in found(copy) if what in f.what and f.file == LAKE]


def test_a_metric_that_nobody_looks_at_is_found(copy: Path) -> None:
    edit_board(copy, LAKE, lambda b: b.update(panels=[p for p in b["panels"] if "c360_lake_stage_seconds" not in json.dumps(p)]))
    assert [f.what for f in found(copy)] == ["c360_lake_stage_seconds is on no dashboard and in no alert"]


def test_a_page_that_nobody_finds_is_found(copy: Path) -> None:
    (copy / monitoring.RUNBOOK / "lost.md").write_text("# Lost\n")
    assert [(f.file.name, f.what) for f in found(copy)] == [("lost.md", "no alert and no index leads to it")]


def test_targets_are_services_of_compose_once_it_is_there(copy: Path) -> None:
    names = ["lake", "loader", "sentiment", "page", "shop", "kafka", "connect"]
    (copy / monitoring.COMPOSE).write_text(yaml.safe_dump({"services": {name: {} for name in names}}))
    assert found(copy) == []
    (copy / monitoring.COMPOSE).write_text(yaml.safe_dump({"services": {name: {} for name in names[1:]}}))
    assert [f.what for f in found(copy)] == ["target lake:9360 is no service of docker-compose.yml"]


def test_missing_files_are_found(copy: Path) -> None:
    (copy / monitoring.ALERTS).unlink()
    shutil.rmtree(copy / monitoring.GRAFANA / "provisioning" / "dashboards")
    (copy / monitoring.RUNBOOK / "README.md").unlink()
    told = {(f.file.name, f.what) for f in found(copy)}
    assert {("alerts.yml", "is missing"), ("README.md", "is missing"), ("prometheus.yml", "the rules alerts.yml are missing")} <= told
    assert ("provisioning", "has no data source or no provider of dashboards") in told


def test_without_promtool_that_is_said(copy: Path) -> None:
    assert [f for f in monitoring.check(copy) if isinstance(f, Skipped) and "promtool" in f.what]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: Debian's package prometheus")
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (monitoring.PROMETHEUS, "scrape_interval: 15s", "scrape_interval: soon"),
        (monitoring.ALERTS, "{{ $labels.job }} does", "{{ $labels.job does"),
        (monitoring.ALERTS, "c360_loader_lag_batches > 100", "c360_loader_lag_batches > 200"),
        (monitoring.TESTS, "wait for the lake job.", "wait for nobody."),
    ],
)
def test_prometheus_itself_has_an_opinion(tmp_path: Path, file: Path, old: str, new: str) -> None:
    for path in (monitoring.FOLDER, monitoring.RUNBOOK):
        shutil.copytree(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / monitoring.METRICS_PAGE, tmp_path / monitoring.METRICS_PAGE)
    edit(tmp_path, file, old, new)
    assert [f for f in found(tmp_path) if f.what.startswith("promtool")]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("c360_lake_lag_records", {"topic", "job", "instance"}),
        ("sum(c360_lake_lag_records)", set()),
        ("sum without (topic) (c360_lake_lag_records)", {"job", "instance"}),
        ("topk(3, c360_lake_lag_records)", {"topic", "job", "instance"}),
        ("histogram_quantile(0.9, sum by (le, hop) (rate(c360_lake_freshness_seconds_bucket[5m])))", {"hop"}),
        ("up == on (job) group_left c360_loader_failures", {"job", "instance"}),
        ("up + on (job) c360_loader_failures", {"job"}),
        ("up * ignoring (instance) c360_loader_failures", {"job"}),
        ("max_over_time(sum(c360_lake_lag_records)[1h:1m])", set()),
        ("-(up)", {"job", "instance"}),
    ],
)
def test_labels_are_followed_through_an_expression(text: str, labels: set[str]) -> None:
    reading = Reading(text, known(["lake"]))
    assert (reading.problems, reading.labels) == ([], labels)


@pytest.mark.parametrize(
    "text",
    [
        "time() - c360_lake_lag_records > on (job) up",
        "c360_lake_lag_records and up",
        "up + on (topic) up",
        "deriv(c360_lake_records_total[5m])",
        "{job='lake'}",
    ],
)
def test_an_expression_that_finds_nothing_is_told(text: str) -> None:
    reading = Reading(text, known(["lake"]))
    assert reading.problems or text.startswith("time()")


def test_scalars_have_no_labels() -> None:
    assert Reading("time() - 5", known([])).labels is None
    assert len(known([])) > len(METRICS)
