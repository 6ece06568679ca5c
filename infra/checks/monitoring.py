"""infra/monitoring: rules and dashboards use metrics that exist, every alert leads to a page that helps, Prometheus asks who is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from commerce360.telemetry.declared import CLIENT, METRICS
from infra.checks.finding import Finding, Skipped
from infra.checks.promql import Reading, known

FOLDER = Path("infra/monitoring")
PROMETHEUS, ALERTS, TESTS = FOLDER / "prometheus.yml", FOLDER / "alerts.yml", FOLDER / "alerts.test.yml"
GRAFANA = FOLDER / "grafana"
DASHBOARDS = GRAFANA / "dashboards"
RUNBOOK, METRICS_PAGE, COMPOSE = Path("docs/runbook"), Path("docs/observability.md"), Path("docker-compose.yml")
OUR_PORT, OWN_JOB = 9360, "prometheus"
SEVERITIES = ("critical", "warning")
LEAST_SCHEMA = 41  # Grafana 12
WITHOUT_UNIT = ("state-timeline", "table")
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
TEMPLATE = re.compile(r"\$labels\.(\w+)")


@dataclass(frozen=True)
class Expression:
    """One in a file, with the labels that a legend or a template beside it names."""

    file: Path
    line: int
    where: str
    text: str
    labels: frozenset[str] = frozenset()


def check(root: Path) -> Iterable[Finding | Skipped]:
    """Everything under infra/monitoring, and docs/runbook."""
    read = Files(root)
    rules, boards = list(read.alerts()), list(read.dashboards())
    config = read.yaml(PROMETHEUS) or {}
    yield from _provisioned(read)
    yield from _scraped(root, config)
    yield from _alerts(root, read, rules)
    for file, board in boards:
        yield from _board(file, board)
    yield from _duplicates(boards)
    yield from _expressions(rules, boards, read, {job.get("job_name", "") for job in config.get("scrape_configs") or []})
    yield from _documented(root)
    yield from _pages(root, {str(rule.get("annotations", {}).get("runbook_url")) for _, rule in rules})
    yield from _promtool(root)
    yield from read.broken


class Files:
    """Reads each file once; `broken` has those that cannot be read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken: list[Finding] = []
        self._seen: dict[Path, Any] = {}

    def text(self, file: Path) -> str:
        return (self.root / file).read_text(encoding="utf-8") if (self.root / file).is_file() else ""

    def yaml(self, file: Path) -> Any:
        return self._read(file, yaml.safe_load)

    def _read(self, file: Path, parse: Any) -> Any:
        if file not in self._seen:
            self._seen[file] = None
            try:
                self._seen[file] = parse((self.root / file).read_text(encoding="utf-8"))
            except OSError:
                self.broken.append(Finding(file, "is missing", "write it, or take it out of infra/checks/monitoring.py"))
            except (yaml.YAMLError, ValueError) as error:
                mark = getattr(error, "problem_mark", None)
                line = mark.line + 1 if mark else getattr(error, "lineno", 0)
                self.broken.append(Finding(file, f"cannot be read: {str(error).splitlines()[0]}", "correct the syntax", line))
        return self._seen[file]

    def alerts(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Line and rule of each alert."""
        for group in (self.yaml(ALERTS) or {}).get("groups") or []:
            for rule in group.get("rules") or []:
                yield self.line(ALERTS, f"alert: {rule.get('alert')}"), rule

    def dashboards(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        for path in sorted((self.root / DASHBOARDS).glob("*.json")):
            file = path.relative_to(self.root)
            if isinstance(board := self._read(file, json.loads), dict):
                yield file, board

    def line(self, file: Path, text: str) -> int:
        """The first that has the text; 0 for none."""
        return next((n for n, line in enumerate(self.text(file).splitlines(), 1) if text in line), 0)


def _provisioned(read: Files) -> Iterator[Finding]:
    files = [p.relative_to(read.root) for p in sorted((read.root / GRAFANA / "provisioning").rglob("*.yml"))]
    if {f.parent.name for f in files} != {"datasources", "dashboards"}:
        yield Finding(
            GRAFANA / "provisioning", "has no data source or no provider of dashboards", "add datasources/*.yml and dashboards/*.yml"
        )
    for file in files:
        found = read.yaml(file)
        key = "datasources" if file.parent.name == "datasources" else "providers"
        if found is not None and not (found.get("apiVersion") == 1 and found.get(key)):
            yield Finding(file, f"is no file of {key}", f"it needs `apiVersion: 1` and `{key}`")


def _scraped(root: Path, config: Mapping[str, Any]) -> Iterator[Finding]:
    jobs = config.get("scrape_configs") or []
    names = Counter(job.get("job_name") for job in jobs)
    yield from (Finding(PROMETHEUS, f"job {name} is there {n} times", "give each its own name") for name, n in names.items() if n > 1)
    for file in config.get("rule_files") or []:
        if not (root / FOLDER / file).is_file():
            yield Finding(PROMETHEUS, f"the rules {file} are missing", "name files beside prometheus.yml")
    compose = root / COMPOSE
    services = set(yaml.safe_load(compose.read_text(encoding="utf-8")).get("services") or {}) if compose.is_file() else None
    for job in jobs:
        for target in (t for config in job.get("static_configs") or [] for t in config.get("targets") or []):
            yield from _target(str(job.get("job_name")), str(target), services)


def _target(job: str, target: str, services: set[str] | None) -> Iterator[Finding]:
    host, _, port = target.partition(":")
    if job == OWN_JOB:
        return
    if port == str(OUR_PORT) and host != job:
        yield Finding(PROMETHEUS, f"job {job} asks {host}", "a job of ours has the name of its service: alerts and dashboards say so")
    if services is not None and host not in services:
        yield Finding(PROMETHEUS, f"target {target} is no service of {COMPOSE}", f"one of {', '.join(sorted(services))}")


def _alerts(root: Path, read: Files, rules: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Finding]:
    names = Counter(rule.get("alert") for _, rule in rules)
    tests = read.yaml(TESTS)
    tested = {
        case.get("alertname")
        for group in (tests or {}).get("tests") or []
        for case in group.get("alert_rule_test") or []
        if case.get("exp_alerts")
    }
    for line, rule in rules:
        name, notes = rule.get("alert"), rule.get("annotations") or {}
        page = str(notes.get("runbook_url", ""))
        wrong = {
            "is there more than once": names[name] > 1,
            f"has no severity of {', '.join(SEVERITIES)}": (rule.get("labels") or {}).get("severity") not in SEVERITIES,
            "has no summary": not notes.get("summary"),
            "does not say for how long (`for`)": "for" not in rule,
            f"has no runbook_url {RUNBOOK}/PAGE.md": Path(page).parent != RUNBOOK or Path(page).suffix != ".md",
            f"leads to {page}, which is missing": Path(page).parent == RUNBOOK and not (root / page).is_file(),
            f"is not raised by any test of {TESTS.name}": tests is not None and name not in tested,
        }
        yield from (Finding(ALERTS, f"alert {name} {what}", "see the other alerts", line) for what, is_so in wrong.items() if is_so)


def panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Also those in collapsed rows, without the rows."""
    for panel in board.get("panels") or []:
        if panel.get("type") == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def _board(file: Path, board: Mapping[str, Any]) -> Iterator[Finding]:
    hint = "see the other dashboards"
    if not board.get("title") or not board.get("uid"):
        yield Finding(file, "has no title or no uid", hint)
    if int(board.get("schemaVersion") or 0) < LEAST_SCHEMA:
        yield Finding(file, f"has schemaVersion {board.get('schemaVersion')}", f"save it in a Grafana that writes {LEAST_SCHEMA} or later")
    if not any(v.get("type") == "datasource" and v.get("name") == "datasource" for v in (board.get("templating") or {}).get("list") or []):
        yield Finding(file, "has no variable `datasource`", "add one of type datasource, so that any Prometheus can be chosen")
    found = list(panels(board))
    for what, counts in (("id", Counter(p.get("id") for p in found)), ("title", Counter(p.get("title") for p in found))):
        yield from (Finding(file, f"{n} panels have the {what} {value!r}", "give each its own") for value, n in counts.items() if n > 1)
    for panel in found:
        yield from (Finding(file, f"panel {panel.get('title')!r} {what}", hint) for what in _panel(panel))
    for one, other in _overlapping(found):
        yield Finding(file, f"panels {one.get('title')!r} and {other.get('title')!r} overlap", "move one of them")


def _panel(panel: Mapping[str, Any]) -> Iterator[str]:
    defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
    sources = [panel.get("datasource"), *(t.get("datasource") for t in panel.get("targets") or [])]
    if not panel.get("description"):
        yield "has no description"
    if panel.get("type") not in WITHOUT_UNIT and not defaults.get("unit"):
        yield "has no unit"
    if not (defaults.get("thresholds") or {}).get("steps"):
        yield "has no thresholds"
    if not panel.get("targets"):
        yield "asks nothing"
    if any((source or {}).get("uid") != "${datasource}" for source in sources):
        yield "has a data source that is not ${datasource}"


def _overlapping(found: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    places = [(p, p.get("gridPos") or {}) for p in found]
    for n, (one, a) in enumerate(places):
        for other, b in places[n + 1 :]:
            if all(
                a.get(at, 0) < b.get(at, 0) + b.get(size, 1) and b.get(at, 0) < a.get(at, 0) + a.get(size, 1) for at, size in ("xw", "yh")
            ):
                yield one, other


def _duplicates(boards: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Finding]:
    uids = Counter(board.get("uid") for _, board in boards)
    yield from (
        Finding(f, f"uid {b.get('uid')} is that of another dashboard", "give it its own") for f, b in boards if uids[b.get("uid")] > 1
    )


def _expressions(
    rules: list[tuple[int, Mapping[str, Any]]], boards: list[tuple[Path, Mapping[str, Any]]], read: Files, jobs: set[str]
) -> Iterator[Finding]:
    series = known(jobs)
    used: set[str] = set()
    for each in (*_of_alerts(rules), *(e for file, board in boards for e in _of_board(file, board, read))):
        reading = Reading(each.text, series)
        used |= reading.used
        said = [
            *reading.problems,
            *(f"{label} is no label of the result" for label in sorted(each.labels - (reading.labels or frozenset()))),
        ]
        hint = "metrics and their labels are in commerce360/telemetry/declared.py"
        yield from (Finding(each.file, f"{each.where}: {problem}", hint, each.line) for problem in said)
    for metric in METRICS:
        if metric not in CLIENT and not used & metric.series.keys():
            yield Finding(DASHBOARDS, f"{metric.name} is on no dashboard and in no alert", "show it, or do not measure it")


def _of_alerts(rules: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Expression]:
    for line, rule in rules:
        named = frozenset(TEMPLATE.findall(" ".join(map(str, (rule.get("annotations") or {}).values())))) - _optional(rule)
        yield Expression(ALERTS, line, f"alert {rule.get('alert')}", str(rule.get("expr", "")), named)


def _optional(rule: Mapping[str, Any]) -> frozenset[str]:
    """Labels that a template asks for before it uses them."""
    return frozenset(re.findall(r"\{\{\s*if \$labels\.(\w+)", " ".join(map(str, (rule.get("annotations") or {}).values()))))


def _of_board(file: Path, board: Mapping[str, Any], read: Files) -> Iterator[Expression]:
    for panel in panels(board):
        for target in panel.get("targets") or []:
            text = str(target.get("expr", ""))
            for variable, value in VARIABLES.items():
                text = text.replace(variable, value)
            named = frozenset(LEGEND.findall(str(target.get("legendFormat", ""))))
            line = read.line(file, json.dumps(target.get("expr"), ensure_ascii=False))
            yield Expression(file, line, f"panel {panel.get('title')!r}", text, named)


def _documented(root: Path) -> Iterator[Finding]:
    page = root / METRICS_PAGE
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    for metric in METRICS:
        if f"`{metric.name}`" not in text:
            yield Finding(METRICS_PAGE, f"{metric.name} is not on the page", "run `make docs`")


def _pages(root: Path, linked: set[str]) -> Iterator[Finding]:
    index = root / RUNBOOK / "README.md"
    text = index.read_text(encoding="utf-8") if index.is_file() else ""
    if not text:
        yield Finding(RUNBOOK / "README.md", "is missing", "write the index of the runbook")
    for page in sorted((root / RUNBOOK).glob("*.md")):
        file = page.relative_to(root)
        if page != index and f"({page.name})" not in text and str(file) not in linked:
            yield Finding(file, "no alert and no index leads to it", "link it in docs/runbook/README.md")
    for name in re.findall(r"\(([\w-]+\.md)\)", text):
        if not (root / RUNBOOK / name).is_file():
            yield Finding(RUNBOOK / "README.md", f"leads to {name}, which is missing", "write the page", 0)


def _promtool(root: Path) -> Iterator[Finding | Skipped]:
    """Prometheus' own opinion."""
    tool = shutil.which("promtool")
    if tool is None:
        yield Skipped("promtool is not here (Debian: package prometheus), so Prometheus itself has not seen the rules and their tests")
        return
    for arguments, file in ((("check", "config"), PROMETHEUS), (("check", "rules"), ALERTS), (("test", "rules"), TESTS)):
        done = subprocess.run([tool, *arguments, file.name], cwd=root / FOLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            yield Finding(file, f"promtool {' '.join(arguments)}: {' '.join(said)[:1000]}", f"promtool {' '.join(arguments)} {file}")
