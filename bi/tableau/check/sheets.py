"""Checks of sheets and dashboards: every name on a shelf, in a filter, a sort or a zone leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from bi.tableau.check.finding import Finding, did_you_mean
from bi.tableau.check.formulas import aggregated
from bi.tableau.check.reading import OBJECTS, Document, Names, Source, bare, formula_references, references, strings
from bi.tableau.check.sources import NUMBERS, twice
from bi.tableau.datasource import PARAMETERS_SOURCE

ADDING = frozenset({"Sum", "Avg", "Median", "Stdev", "StdevP", "Var", "VarP"})
OF_TIME = ("Year", "Quarter", "Month", "Week", "Day", "Hour", "Minute", "Second", "Weekday")
# How the name of an instance begins, and ends: `[sum:SALE_AMOUNT:qk]`.
PREFIXES = {"None": "none", "Sum": "sum", "Avg": "avg", "User": "usr", "Day-Trunc": "tdy", "CountD": "ctd", "Count": "cnt"}
KINDS = {"quantitative": "qk", "nominal": "nk", "ordinal": "ok"}
MADE_BY_TABLEAU = frozenset({":Measure Names", "Multiple Values"})
QUOTED = frozenset({"string", "date", "datetime"})


def findings(document: Document) -> Iterator[Finding]:
    if document.root.tag != "workbook":
        return
    every = [*document.worksheets, *document.dashboards]
    yield from twice(document.file, "the workbook", "sheet", (e.get("name", "") for e in every))
    yield from twice(document.file, "the workbook", "simple-id", (e.get("uuid", "") for e in document.root.iter("simple-id")))
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
            if name not in self._fields(source) and not name.startswith(OBJECTS):
                yield self.found(f"[{name}]", f"is no field of {source.where}", did_you_mean(name, source.fields))
            elif (kind := source.types.get(name)) and column.get("datatype") != kind:
                yield self.found(f"[{name}]", f"is {column.get('datatype')} here", f"in {source.where} it is {kind}")
            if (made := column.find("calculation")) is not None and source.name != PARAMETERS_SOURCE:
                yield from self._formula(source, name, made.get("formula", ""))

    def _formula(self, source: Source, name: str, formula: str) -> Iterator[Finding]:
        """A sheet repeats the formulas of its data source, and may have its own; one of another data source needs that one here."""
        own = source.formulas.get(name, formula)
        if own.split() != formula.split():
            yield self.found(f"[{name}]", f"is {formula}", f"in {source.where} it is {own}")
        for reference in formula_references(formula):
            if reference.second and reference.first not in self.dependencies:
                yield self.found(f"[{name}]", f"uses {reference}, whose data source is not on the sheet")
            elif not reference.second and name not in source.formulas and reference.first not in source.fields:
                yield self.found(f"[{name}]", f"uses [{reference.first}], which is no field", did_you_mean(reference.first, source.fields))

    def _instances(self, source: Source, element: Element) -> Iterator[Finding]:
        for instance in element.findall("column-instance"):
            name, derivation = bare(instance.get("column", "")), instance.get("derivation", "")
            if name not in self._fields(source):
                yield self.found(f"[{name}]", f"is no field of {source.where}", did_you_mean(name, source.fields))
                continue
            kind = source.types.get(name, "")
            if derivation in ADDING and kind and kind not in NUMBERS:
                yield self.found(f"[{name}]", f"is shown as its {derivation}", f"it is {kind}")
            if kind and derivation.removesuffix("-Trunc") in OF_TIME and kind not in ("date", "datetime"):
                yield self.found(f"[{name}]", f"is shown as its {derivation}", f"it is {kind}")
            yield from self._instance(source, name, derivation, instance)
            if source.hidden(name):
                yield self.found(f"[{name}]", "is hidden, and on a sheet", "show it, or use another field")

    def _instance(self, source: Source, name: str, derivation: str, instance: Element) -> Iterator[Finding]:
        """Its name says what it is, and what adds up by itself is not added up again."""
        called = bare(instance.get("name", ""))
        before, _, behind = called.partition(f":{name}:")
        prefix, kind = PREFIXES.get(derivation), KINDS.get(instance.get("type", ""))
        if not behind or (prefix and before.rsplit(":", 1)[-1] != prefix) or (kind and behind.split(":")[0] != kind):
            yield self.found(f"[{called}]", f"is the {derivation} of [{name}], {instance.get('type')}", "its name says something else")
        whole = aggregated(name, {**self._own_formulas(source.name), **source.formulas})
        if whole and derivation != "User":
            yield self.found(f"[{name}]", f"is shown as its {derivation}", "its formula aggregates already")
        elif whole is False and derivation == "User":
            yield self.found(f"[{name}]", "is shown as if its formula aggregated", "it does not")

    def _fields(self, source: Source) -> set[str]:
        """Of the data source, and formulas that were typed into the sheet itself."""
        return source.fields | self._own_formulas(source.name).keys()

    def _own_formulas(self, source: str) -> dict[str, str]:
        columns = [(bare(c.get("name", "")), c.find("calculation")) for c in self.dependencies[source].findall("column")]
        return {name: made.get("formula", "") for name, made in columns if made is not None}

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
                if kind and member not in ("", "%null%") and member.startswith('"') != (kind in QUOTED):
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
