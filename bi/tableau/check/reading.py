"""A data source or a workbook as it was read: names, and what they stand for. It takes what Tableau itself writes as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from xml.etree.ElementTree import Element

from bi.tableau.datasource import PARAMETERS_SOURCE, unescaped

BRACKETED = re.compile(r"\[((?:[^\]]|\]\])*)\](?:\.\[((?:[^\]]|\]\])*)\])?(?:\.\[((?:[^\]]|\]\])*)\])?")
LITERALS = re.compile(r"""//[^\n]*|"[^"]*"|'[^']*'""")
FEATURES = re.compile(r"_\.fcp\.\w+\.(true|false)\.\.\.")
OBJECTS = "__tableau_internal_object_id__"


class Origin(NamedTuple):
    """Where a field's values come from."""

    relation: str
    column: str


class Names(NamedTuple):
    """`[a]`, `[a].[b]` or `[a].[b].[c]`, without brackets; what is not there is empty."""

    first: str
    second: str
    third: str

    def __str__(self) -> str:
        return ".".join(f"[{part}]" for part in self if part)


def references(text: str) -> list[Names]:
    return [Names(*found) for found in BRACKETED.findall(text)]


def formula_references(formula: str) -> list[Names]:
    """Fields of a formula: what is bracketed outside of texts and comments."""
    return references(LITERALS.sub(" ", formula))


def bare(bracketed: str) -> str:
    """`[x]` -> `x`."""
    return bracketed[1:-1] if bracketed.startswith("[") and bracketed.endswith("]") else bracketed


@dataclass(frozen=True)
class Relation:
    name: str
    table: str  # `[DB].[SCHEMA].[TABLE]`, or empty
    sql: str  # custom SQL, or empty

    @property
    def schema_table(self) -> str:
        parts = [part for part in (references(self.table) or [Names("", "", "")])[0] if part]
        return ".".join(parts[-2:])

    @property
    def database(self) -> str:
        found = references(self.table)
        return found[0].first if found and found[0].third else ""


class Source:
    """One `datasource` element that declares fields."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name = element.get("name") or element.get("formatted-name") or ""
        self.caption = element.get("caption") or self.name

    @property
    def where(self) -> str:
        return f"data source {self.caption!r}"

    @cached_property
    def relations(self) -> Mapping[str, Relation]:
        """The tables and statements that it asks, by name."""
        found = self.element.findall("connection//relation")
        return {r.name: r for r in map(relation_of, found) if r.table or r.sql}

    @cached_property
    def origins(self) -> Mapping[str, Origin]:
        """By field: from the map of columns, or from the metadata where there is no map."""
        mapped = {bare(m.get("key", "")): references(m.get("value", "")) for m in self.element.findall("connection/cols/map")}
        if mapped:
            return {name: Origin(found[0].first, found[0].second) for name, found in mapped.items() if found}
        return self.recorded

    @cached_property
    def recorded(self) -> Mapping[str, Origin]:
        """By field, as the metadata say."""
        records = self.element.findall("connection/metadata-records/metadata-record[@class='column']")
        return {bare(_text(r, "local-name")): Origin(bare(_text(r, "parent-name")), _text(r, "remote-name")) for r in records}

    @cached_property
    def columns(self) -> Mapping[str, Element]:
        """Declared fields, with calculated ones and parameters; a table's own row counter is none."""
        return {bare(c.get("name", "")): c for c in self.element.findall("column") if c.get("datatype") != "table"}

    @cached_property
    def formulas(self) -> Mapping[str, str]:
        found = ((name, column.find("calculation")) for name, column in self.columns.items())
        return {name: made.get("formula", "") for name, made in found if made is not None and made.get("formula") is not None}

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Data type of each field: what is declared counts more than what was found once."""
        records = self.element.findall("connection/metadata-records/metadata-record[@class='column']")
        found = {bare(_text(r, "local-name")): _text(r, "local-type") for r in records}
        return {**found, **{name: column.get("datatype", "") for name, column in self.columns.items()}}

    @cached_property
    def groups(self) -> set[str]:
        """Sets and groups that people made of members."""
        return {bare(g.get("name", "")) for g in self.element.findall("group")}

    @property
    def fields(self) -> set[str]:
        return {*self.origins, *self.columns, *self.groups}

    def hidden(self, field: str) -> bool:
        return field in self.columns and self.columns[field].get("hidden") == "true"


class Document:
    """A file: `root` is a `workbook` or a `datasource`."""

    def __init__(self, file: str, root: Element) -> None:
        self.file = file
        self.root = root

    @cached_property
    def elements(self) -> list[Element]:
        return [self.root] if self.root.tag == "datasource" else self.root.findall("datasources/datasource")

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """By name, with the one of the parameters."""
        return {s.name: s for s in map(Source, self.elements)}

    @cached_property
    def parameters(self) -> Mapping[str, Element]:
        """A data source alone has those that its formulas use."""
        if PARAMETERS_SOURCE in self.sources:
            return self.sources[PARAMETERS_SOURCE].columns
        needs = self.root.findall(f"datasource-dependencies[@datasource='{PARAMETERS_SOURCE}']/column")
        return {bare(c.get("name", "")): c for c in needs}

    @cached_property
    def worksheets(self) -> list[Element]:
        return self.root.findall("worksheets/worksheet")

    @cached_property
    def dashboards(self) -> list[Element]:
        return self.root.findall("dashboards/dashboard")


def plain(root: Element) -> Element:
    """Without the marks of Tableau 2020 to 2025 on elements that depend on a feature; those for its absence go."""
    for parent in list(root.iter()):
        for child in list(parent):
            marks, name = FEATURES.findall(child.tag), FEATURES.sub("", child.tag)
            if "false" in marks:
                parent.remove(child)
            child.tag = name
    return root


def strings(element: Element) -> Iterator[tuple[str, str]]:
    """Every attribute and text below an element, with the tag that has it."""
    for child in element.iter():
        for value in child.attrib.values():
            yield child.tag, value
        if child.text and child.text.strip():
            yield child.tag, child.text


def relation_of(element: Element) -> Relation:
    sql = unescaped(element.text or "") if element.get("type") == "text" else ""
    return Relation(element.get("name", ""), element.get("table", ""), sql)


def _text(element: Element, tag: str) -> str:
    return element.findtext(tag) or ""
