"""The reports of a run tell what is in it, whatever the run is, and take names for text."""

from __future__ import annotations

import copy
import io
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from plain_run import late
from rich.console import Console

from commerce360.load import html, junit, terminal
from commerce360.load.result import Event, Fault, Outcome, Reconciled, RunResult

RUNS = ["steady", "stalled", "empty", "one_event", "hostile"]
EVIL = "<script>alert(1)</script>&\"'[bold]x[/nothing]\x01"
# Jenkins' junit-10.xsd, which pytest's xunit2 family keeps to.
ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"name", "tests", "failures", "errors"},
    ),
    "properties": (set(), set()),
    "property": ({"name", "value"}, {"name", "value"}),
    "testcase": ({"name", "time", "classname", "group"}, {"name"}),
    "failure": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}


@pytest.fixture
def one_event() -> RunResult:
    run = RunResult("one", 0.0, 0, 1)
    run.hops = [late("sent", 5, range(5, 6))]
    return run


@pytest.fixture
def hostile(steady: RunResult) -> RunResult:
    """Every text that comes from elsewhere is markup for a browser and for rich."""
    run = copy.deepcopy(steady)
    run.scenario = run.definition = EVIL
    run.events, run.faults = [Event(3, EVIL)], [Fault(EVIL, 30, 90)]
    run.outcomes = [Outcome(EVIL, EVIL, None, EVIL, False, EVIL)]
    run.reconciled = Reconciled(False, 1, 0, 0, 0, {EVIL: False}, [EVIL])
    run.environment.versions = {EVIL: EVIL}
    run.notes = [EVIL]
    for named in (*run.series, *run.processes):
        named.name = EVIL
    return run


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> RunResult:
    found: RunResult = request.getfixturevalue(request.param)
    return found


class Page(HTMLParser):
    """Elements, what they refer to, and texts; that all are closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_refers_to_nothing_and_runs_nothing(run: RunResult) -> None:
    text = html.page(run)
    page = Page(text)
    assert page.references == []
    assert page.handlers == []
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "base", "form"}
    assert "url(" not in text
    assert "@import" not in text
    text.encode("utf-8")


def test_the_page_tells_the_figures(steady: RunResult) -> None:
    page = Page(html.page(steady))
    for told in ("steady-1k", "passed", "all 9 held", "queryable in the warehouse", "28,000", "local stand-in of Snowflake"):
        assert told in page.text
    assert "not held" not in page.text


def test_the_page_shows_a_fault_and_what_never_arrived(stalled: RunResult) -> None:
    text = html.page(stalled)
    assert '<g class="band fault"><title>lake stopped</title>' in text
    assert 'class="never"' in text
    assert "stopped lake" in Page(text).text


def test_markup_in_names_is_text_on_the_page(hostile: RunResult) -> None:
    page = Page(html.page(hostile))
    assert "<script>alert(1)</script>" in page.text
    assert "script" not in page.tags


def test_the_suite_keeps_to_the_schema(run: RunResult) -> None:
    root = ElementTree.fromstring(junit.document(run))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed = ATTRIBUTES[element.tag]
        assert needed <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())


def test_the_suite_counts_its_cases(run: RunResult) -> None:
    suite = ElementTree.fromstring(junit.document(run))[0]
    cases = suite.findall("testcase")
    assert len(cases) == len(run.outcomes) + 1
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    assert (suite.get("failures") == "0") == run.passed


def test_the_suite_tells_what_was_not_held_and_all_figures(stalled: RunResult) -> None:
    failed = copy.deepcopy(stalled)
    failed.outcomes = [Outcome("gold.p99_s", "<= 8", 21.5, "s", False), Outcome("lost", "== 0", 0.0, "rows", True)]
    suite = ElementTree.fromstring(junit.document(failed))[0]
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("message") == "gold.p99_s must be <= 8, was 21.5 s"
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["gold.never_seen"] == "50"
    assert properties["gold.max_ms"] == "never"
    assert properties["counter.acked"] == "28000"


def test_a_difference_between_stages_is_a_failure(hostile: RunResult) -> None:
    hostile.outcomes = []
    suite = ElementTree.fromstring(junit.document(hostile))[0]
    assert [f.get("message") for f in suite.findall("testcase/failure")] == ["stages differ: 1 lost, 0 doubled, 0 changed"]


def shown(run: RunResult) -> str:
    out = io.StringIO()
    terminal.show(run, Console(file=out, width=140, soft_wrap=True))
    return out.getvalue()


def test_the_terminal_shows_every_run(run: RunResult) -> None:
    text = shown(run)
    assert text.rstrip().splitlines()[-1].startswith("passed" if run.passed else "failed")


def test_the_terminal_tells_hops_thresholds_and_the_verdict(steady: RunResult, stalled: RunResult) -> None:
    text = shown(steady)
    assert "queryable in the warehouse" in text
    assert "28,000 events intended" in text
    assert "passed: all 9 thresholds held, all stages are equal" in text
    assert "never" in shown(stalled)


def test_markup_in_names_is_text_on_the_terminal(hostile: RunResult) -> None:
    assert "[bold]x[/nothing]" in shown(hostile)
