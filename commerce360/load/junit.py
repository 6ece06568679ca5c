"""Results as JUnit XML, in the form that pytest writes (xunit2) and Jenkins' junit-10.xsd describes."""

from __future__ import annotations

import datetime as dt
import math
import platform
import re
from pathlib import Path
from xml.etree import ElementTree

from commerce360.load.result import Reconciled, RunResult
from commerce360.load.terminal import outcome_value

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(run: RunResult) -> str:
    """A testcase per threshold and one for the reconciliation; the figures are properties of the suite."""
    seconds = f"{run.until_s:.3f}"
    cases = [_threshold(run, i) for i in range(len(run.outcomes))] + [_reconciliation(run.scenario, run.reconciled)]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    root = ElementTree.Element("testsuites", name="load tests")
    began = dt.datetime.fromtimestamp(run.started_at, dt.UTC).isoformat()
    named = {"name": _text(run.scenario), **counts, "time": seconds, "timestamp": began, "hostname": _text(platform.node())}
    suite = ElementTree.SubElement(root, "testsuite", named)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _figures(run).items():
        ElementTree.SubElement(properties, "property", name=_text(name), value=_text(value))
    suite.extend(cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def write(run: RunResult, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(run), encoding="utf-8")


def _case(scenario: str, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=_text(f"load.{scenario}"), name=_text(name), time="0.000")


def _threshold(run: RunResult, index: int) -> ElementTree.Element:
    outcome = run.outcomes[index]
    case = _case(run.scenario, f"{outcome.name} {outcome.rule}")
    if not outcome.passed:
        told = f"{outcome.name} must be {outcome.rule}, was {outcome_value(outcome)}"
        ElementTree.SubElement(case, "failure", message=_text(told)).text = _text(outcome.reason or told)
    return case


def _reconciliation(scenario: str, found: Reconciled | None) -> ElementTree.Element:
    case = _case(scenario, "reconciliation")
    if found is None:
        ElementTree.SubElement(case, "skipped", message="nothing was reconciled")
    elif not found.equal:
        told = f"stages differ: {found.lost} lost, {found.doubled} doubled, {found.changed} changed"
        ElementTree.SubElement(case, "failure", message=told).text = _text("\n".join(found.problems))
    return case


def _figures(run: RunResult) -> dict[str, str]:
    made = {f"counter.{name}": str(value) for name, value in vars(run.counters).items()}
    for hop in run.hops:
        made[f"{hop.name}.events"] = str(hop.count)
        made[f"{hop.name}.never_seen"] = str(hop.missing)
        made.update({f"{hop.name}.{name}_ms": _number(value) for name, value in hop.percentiles_ms().items()})
    for process in run.processes:
        made[f"{process.name}.cpu_s"] = _number(process.cpu_s(run.warm_up_s, run.until_s))
        made[f"{process.name}.peak_mb"] = _number(process.peak_mb)
    return made | {f"version.{name}": version for name, version in run.environment.versions.items()}


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "never" if math.isinf(value) else "unknown"


def _text(text: str) -> str:
    """What XML cannot hold is replaced: names come from files."""
    return _NOT_XML.sub("\ufffd", text)
