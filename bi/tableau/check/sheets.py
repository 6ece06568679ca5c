"""Checks of sheets and dashboards: every name on a shelf, in a filter, a sort or a zone leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from bi.tableau.check.finding import Finding, did_you_mean
from bi.tableau.check.reading import OBJECTS, Document, Names, Source, bare, references, strings
from bi.tableau.check.sources import NUMBERS, twice
from bi.tableau.datasource import PARAMETERS_SOURCE

ADDING = frozenset({"Sum", "Avg", "Median", "Stdev", "StdevP", "Var", "VarP"})
OF_TIME = ("Year", "Quarter", "Month", "Week", "Day", "Hour", "Minute", "Second", "Weekday")
MADE_BY_TABLEAU = frozenset({":Measure Names", "Multiple Values"})
QUOTED = frozenset({"string", "date", "datetime"})


def findings(document: Document) -> Iterator[Finding]:
    if document.root.tag != "workbook":
        return
    every = [*document.worksheets, *document.dashboards]
    yield from twice(document.file, "the workbook", "sheet", (e.get("name", "") for e in every))
    used: set[str] = set()
    for sheet in document.worksheets:
        checks = Sheet(document, sheet)
        used |= set(checks.dependencies)
        yield from checks.findings()
    for name, source in document.sources.items():
        if name not in used and name != PARAMETERS_SOURCE:
            yield Finding(document.file, source.where, repr(name), "is used by no sheet")
    for dashboard in document.dashboards:
        yield from zones(document, dashboard)
    yield from windows(document)


class Sheet:
    def __init__(self, document: Document, element: Element) -> None:
        self.document = document
        self.element = element
        found = element.findall("table/view/datasource-dependencies")
        self.dependencies = {d.get("datasource", ""): d for d in found}

    def found(self, what: str, problem: str, instead: str = "") -> Finding:
        return Finding(self.document.file, f"sheet {self.element.get('name')!r}", what, problem, instead)

    def findings(self) -> Iterator[Finding]:
        yield from self._sources()
        for name, element in self.dependencies.items():
            if (source := self.document.sources.get(name)) is not None:
                yield from self._columns(source, element)
                yield from self._instances(source, element)
        yield from self._references()
        yield from self._members()

    def _sources(self) -> Iterator[Finding]:
        named = {d.get("name", "") for d in self.element.findall("table/view/datasources/datasource")}
        for name in sorted(named | set(self.dependencies)):
            if name not in self.document.sources:
                yield self.found(f"data source {name!r}", "is not in the workbook", did_you_mean(name, self.document.sources))
            elif name not in named:
                yield self.found(f"data source {name!r}", "is used and not listed in the sheet's data sources")

    def _columns(self, source: Source, element: Element) -> Iterator[Finding]:
        for column in element.findall("column"):
            name = bare(column.get("name", ""))
            if name not in self._fields(source, element) and not name.startswith(OBJECTS):
                yield self.found(f"[{name}]", f"is no field of {source.where}", did_you_mean(name, source.fields))
            elif (kind := source.types.get(name)) and column.get("datatype") != kind:
                yield self.found(f"[{name}]", f"is {column.get('datatype')} here", f"in {source.where} it is {kind}")

    def _instances(self, source: Source, element: Element) -> Iterator[Finding]:
        for instance in element.findall("column-instance"):
            name, derivation = bare(instance.get("column", "")), instance.get("derivation", "")
            if name not in self._fields(source, element):
                yield self.found(f"[{name}]", f"is no field of {source.where}", did_you_mean(name, source.fields))
                continue
            kind = source.types.get(name, "")
            if derivation in ADDING and kind and kind not in NUMBERS:
                yield self.found(f"[{name}]", f"is shown as its {derivation}", f"it is {kind}")
            if kind and derivation.removesuffix("-Trunc") in OF_TIME and kind not in ("date", "datetime"):
                yield self.found(f"[{name}]", f"is shown as its {derivation}", f"it is {kind}")
            if source.hidden(name):
                yield self.found(f"[{name}]", "is hidden, and on a sheet", "show it, or use another field")

    @staticmethod
    def _fields(source: Source, element: Element) -> set[str]:
        """Of the data source, and formulas that were typed into the sheet itself."""
        return source.fields | {bare(c.get("name", "")) for c in element.findall("column") if c.find("calculation") is not None}

    def _references(self) -> Iterator[Finding]:
        """All that is written `[data source].[...]` outside of the dependencies, which it must be one of."""
        told: set[tuple[str, Names]] = set()
        for tag, text in self._strings():
            for reference in references(text):
                if reference.second and (tag, reference) not in told:
                    told.add((tag, reference))
                    yield from self._reference(tag, reference)

    def _strings(self) -> Iterator[tuple[str, str]]:
        table = self.element.find("table")
        for part in () if table is None else table:
            for child in part if part.tag == "view" else [part]:
                if child.tag not in ("datasources", "datasource-dependencies"):
                    yield from strings(child)

    def _reference(self, tag: str, reference: Names) -> Iterator[Finding]:
        source, name, _ = reference
        if source == PARAMETERS_SOURCE:
            if name not in self.document.parameters:
                yield self.found(f"<{tag}> {reference}", "is no parameter", did_you_mean(name, self.document.parameters))
        elif source not in self.document.sources:
            yield self.found(f"<{tag}> {reference}", "is of no data source", did_you_mean(source, self.document.sources))
        elif name not in MADE_BY_TABLEAU and name != OBJECTS:
            known = self._known(source)
            if name not in known and name not in self.document.sources[source].groups:
                yield self.found(f"<{tag}> {reference}", "is not among the sheet's fields", did_you_mean(name, known))

    def _known(self, source: str) -> Mapping[str, Element]:
        element = self.dependencies.get(source)
        found = [] if element is None else [*element.findall("column-instance"), *element.findall("column")]
        return {bare(e.get("name", "")): e for e in found}

    def _members(self) -> Iterator[Finding]:
        """What a filter keeps is of the field's type."""
        for kept in self.element.findall("table/view/filter"):
            parts = references(kept.get("column", ""))
            if not parts or parts[0].first not in self.document.sources or parts[0].second in MADE_BY_TABLEAU:
                continue
            instance = self._known(parts[0].first).get(parts[0].second)
            if instance is None:
                continue  # said already, or a group
            field = bare(instance.get("column", "") or instance.get("name", ""))
            kind = self.document.sources[parts[0].first].types.get(field, "")
            for group in kept.iter("groupfilter"):
                if (level := bare(group.get("level", ""))) and level != parts[0].second:
                    yield self.found(f"the filter on [{field}]", f"is about [{level}]", f"it should be about [{parts[0].second}]")
                member = group.get("member", "")
                if kind and member and (member.startswith('"') or member == "%null%") != (kind in QUOTED):
                    yield self.found(f"the filter on [{field}]", f"keeps {member}", f"the field is {kind}")


def zones(document: Document, dashboard: Element) -> Iterator[Finding]:
    where = f"dashboard {dashboard.get('name')!r}"
    sheets = {s.get("name", "") for s in document.worksheets}
    found = list(dashboard.iter("zone"))
    ids = (z.get("id", "") for z in found if not _in_device_layout(dashboard, z))
    yield from twice(document.file, where, "zone", ids)
    for zone in found:
        kind, name = zone.get("type-v2", ""), zone.get("name", "")
        if name and kind not in ("layout-basic", "layout-flow", "text", "bitmap", "web") and name not in sheets:
            yield Finding(document.file, where, f"zone {zone.get('id')}", f"shows {name!r}, which is no sheet", did_you_mean(name, sheets))
        if kind == "paramctrl":
            parameter = (references(zone.get("param", "")) or [Names("", "", "")])[0].second
            if parameter not in document.parameters:
                instead = did_you_mean(parameter, document.parameters)
                yield Finding(document.file, where, f"zone {zone.get('id')}", f"sets [{parameter}], which is no parameter", instead)


def windows(document: Document) -> Iterator[Finding]:
    """Every sheet has its window, every window its sheet, and a dashboard's viewpoints are what it shows."""
    shown = {d.get("name", ""): {z.get("name", "") for z in d.iter("zone")} for d in document.dashboards}
    known = {s.get("name", "") for s in document.worksheets} | set(shown)
    found = document.root.findall("windows/window")
    yield from twice(document.file, "windows", "window", (w.get("name", "") for w in found))
    named = {w.get("name", "") for w in found}
    for name in sorted(named - known):
        yield Finding(document.file, "windows", f"window {name!r}", "is of no sheet", did_you_mean(name, known))
    for name in sorted(known - named):
        yield Finding(document.file, "windows", f"sheet {name!r}", "has no window")
    for window in found:
        for viewpoint in window.findall("viewpoints/viewpoint"):
            name = viewpoint.get("name", "")
            if name not in shown.get(window.get("name", ""), {name}):
                yield Finding(document.file, f"dashboard {window.get('name')!r}", f"viewpoint {name!r}", "is in no zone of it")


def _in_device_layout(dashboard: Element, zone: Element) -> bool:
    """Zones of a phone's layout repeat the ids of the desktop's."""
    return any(zone is other for layout in dashboard.iter("devicelayout") for other in layout.iter("zone"))
