"""Checks of data sources: relations, columns, formulas, relationships, folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element

from bi.queries import sql
from bi.tableau.check.catalogue import Catalogue, Columns
from bi.tableau.check.finding import Finding, did_you_mean
from bi.tableau.check.formulas import problems
from bi.tableau.check.reading import OBJECTS, Document, Names, Origin, Relation, Source, bare, formula_references, references, relation_of
from bi.tableau.datasource import PARAMETERS_SOURCE

NUMBERS = ("integer", "real")
ADDED = re.compile(r"\b(SUM|AVG|MEDIAN|STDEV|VAR)\(\s*\[([^\[\]]+)\]\s*\)", re.I)


def findings(document: Document, catalogue: Catalogue) -> Iterator[Finding]:
    yield from twice(document.file, "the file", "data source", (e.get("name") or e.get("formatted-name") or "" for e in document.elements))
    for source in document.sources.values():
        checks = Checks(document, source, catalogue)
        yield from checks.names()
        if source.name != PARAMETERS_SOURCE:
            yield from checks.relations()
            yield from checks.columns()
            yield from checks.relationships()
        yield from checks.formulas()
        yield from checks.folders()


def twice(file: str, where: str, what: str, names: Iterable[str]) -> Iterator[Finding]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Finding(file, where, f"{what} {name!r}", f"is there {count} times")


class Checks:
    def __init__(self, document: Document, source: Source, catalogue: Catalogue) -> None:
        self.document = document
        self.source = source
        self.catalogue = catalogue
        self._answers: dict[str, Columns | None] = {}  # by relation; None where nobody knows

    def found(self, what: str, problem: str, instead: str = "") -> Finding:
        return Finding(self.document.file, self.source.where, what, problem, instead)

    def names(self) -> Iterator[Finding]:
        columns = [c for c in self.source.element.findall("column") if c.get("datatype") != "table"]
        yield from twice(self.document.file, self.source.where, "field", (c.get("name", "") for c in columns))
        captions = (c.get("caption") or bare(c.get("name", "")) for c in columns)
        yield from twice(self.document.file, self.source.where, "caption", captions)
        mapped = (m.get("key", "") for m in self.source.element.findall("connection/cols/map"))
        yield from twice(self.document.file, self.source.where, "mapped field", mapped)

    def relations(self) -> Iterator[Finding]:
        """Tables exist, statements run and are the files' own."""
        for relation in self.source.relations.values():
            if relation.table and relation.schema_table not in self.catalogue.tables:
                known = did_you_mean(relation.schema_table, self.catalogue.tables)
                yield self.found(f"table {relation.schema_table}", f"is not in {self.catalogue.name}", known)
            yield from self._database(relation)
            if relation.sql:
                yield from self._statement(relation)

    def _database(self, relation: Relation) -> Iterator[Finding]:
        """A table of another database than the connection's stays where it is when the file is made for another environment."""
        known = {c.get("dbname", "") for c in self.source.element.iter("connection") if c.get("class") == "snowflake"}
        if relation.database and known and relation.database not in known:
            instead = f"the connection is to {', '.join(sorted(known))}"
            yield self.found(f"table {relation.schema_table}", f"is of the database {relation.database}", instead)

    def _statement(self, relation: Relation) -> Iterator[Finding]:
        try:
            own = sql(relation.name)
        except FileNotFoundError:
            yield self.found(
                f"custom SQL {relation.name!r}", "has no file in bi/queries", "put the statement there, so that its number is defined once"
            )
        else:
            if own != relation.sql:
                yield self.found(
                    f"custom SQL {relation.name!r}", f"differs from bi/queries/{relation.name}.sql", "make the files again: c360 bi build"
                )
        try:
            self._columns_of(relation)
        except ValueError as error:
            yield self.found(f"custom SQL {relation.name!r}", f"is refused by {self.catalogue.name}", str(error))

    def columns(self) -> Iterator[Finding]:
        """Each field's column is there, and of its type; the map of columns and the metadata mean the same one."""
        for field, (relation, column) in self.source.origins.items():
            if relation not in self.source.relations:
                yield self.found(f"[{field}]", f"comes from {relation!r}", did_you_mean(relation, self.source.relations))
                continue
            try:
                there = self._columns_of(self.source.relations[relation])
            except ValueError:
                continue  # said already
            if there is None:
                continue
            if column not in there:
                yield self.found(f"[{field}]", f"is column {column} of {relation}, which is not there", did_you_mean(column, there))
            elif self.source.types.get(field) != there[column]:
                yield self.found(f"[{field}]", f"is {self.source.types.get(field)}", f"{relation}.{column} is {there[column]}")
            elif (told := self.source.recorded.get(field)) and told != Origin(relation, column):
                yield self.found(f"[{field}]", f"is column {column} of {relation}", f"its metadata say {told.column} of {told.relation}")

    def _columns_of(self, relation: Relation) -> Columns | None:
        """Raises ValueError for a statement that does not run."""
        if relation.table:
            return self.catalogue.tables.get(relation.schema_table)
        if self.catalogue.describe is None:
            return None
        if relation.name not in self._answers:
            self._answers[relation.name] = None
            self._answers[relation.name] = self.catalogue.describe(relation.sql)
        return self._answers[relation.name]

    def formulas(self) -> Iterator[Finding]:
        for name, formula in self.source.formulas.items():
            for reference in formula_references(formula):
                yield from self._used(name, reference)
            for problem, instead in problems(name, self.source.formulas):
                yield self.found(f"[{name}]", problem, instead)
            for function, added in ADDED.findall(formula):
                kind = self.source.types.get(added, "")
                if kind and kind not in NUMBERS:
                    yield self.found(f"[{name}]", f"takes {function.upper()} of [{added}]", f"it is {kind}")

    def _used(self, name: str, reference: Names) -> Iterator[Finding]:
        fields = self.source.fields
        if reference.first == PARAMETERS_SOURCE and reference.second:
            if reference.second not in self.document.parameters:
                instead = did_you_mean(reference.second, self.document.parameters)
                yield self.found(f"[{name}]", f"asks for the parameter [{reference.second}]", instead)
        elif reference.second and reference.first in self.document.sources:
            other = self.document.sources[reference.first].fields
            if reference.second not in other:
                yield self.found(f"[{name}]", f"uses {reference}", did_you_mean(reference.second, other))
        elif reference.first not in fields and reference.first != OBJECTS:
            yield self.found(f"[{name}]", f"uses [{reference.first}], which is no field", did_you_mean(reference.first, fields))

    def relationships(self) -> Iterator[Finding]:
        objects = self._objects()
        yield from twice(self.document.file, self.source.where, "object", (o.get("id", "") for o in self._graph("objects/object")))
        yield from self._repeated()
        related: set[str] = set()
        for relationship in self._graph("relationships/relationship"):
            ends = [self._end(relationship, tag) for tag in ("first-end-point", "second-end-point")]
            related.update(ends)
            unknown = [end for end in ends if end not in objects]
            for end in unknown:
                yield self.found(f"relationship of {end!r}", "leads to no object", did_you_mean(end, objects))
            if not unknown:
                yield from self._related(relationship, ends, objects)
        if len(objects) > 1:
            yield from (self.found(f"table {table}", "is related to no other") for end, table in objects.items() if end not in related)
        yield from self._ways(objects)

    def _repeated(self) -> Iterator[Finding]:
        """Tableau asks what an object of the graph says, which repeats a relation of the connection."""
        for element in self._graph("objects/object/properties/relation"):
            own, repeated = self.source.relations.get(element.get("name", "")), relation_of(element)
            if own and repeated != own:
                instead = own.schema_table or "the custom SQL of the connection"
                yield self.found(f"object {own.name!r}", f"asks {repeated.schema_table or 'another custom SQL'}", instead)

    def _related(self, relationship: Element, ends: list[str], objects: Mapping[str, str]) -> Iterator[Finding]:
        tables = [objects[end] for end in ends]
        what = f"relationship {tables[0]} - {tables[1]}"
        for pair in relationship.iter("expression"):
            sides = [references(side.get("op", "")) for side in pair.findall("expression")]
            if pair.get("op") == "AND" or len(sides) != 2:
                continue
            names = [side[0].first if side else "" for side in sides]
            for name, table in zip(names, tables, strict=True):
                origin = self.source.origins.get(name)
                if origin is None:
                    yield self.found(what, f"compares [{name}], which is no field", did_you_mean(name, self.source.origins))
                elif origin.relation != table:
                    yield self.found(what, f"compares [{name}]", f"it is of {origin.relation}, and not of {table}")
            kinds = [self.source.types.get(name) for name in names]
            if all(kinds) and kinds[0] != kinds[1]:
                yield self.found(what, f"compares [{names[0]}] with [{names[1]}]", f"{kinds[0]} with {kinds[1]}")

    def _ways(self, objects: Mapping[str, str]) -> Iterator[Finding]:
        """Tableau wants one way at most from a table to another."""
        ways: dict[str, list[str]] = {}
        for relationship in self._graph("relationships/relationship"):
            ways.setdefault(self._end(relationship, "first-end-point"), []).append(self._end(relationship, "second-end-point"))
        for start in ways:
            reached: Counter[str] = Counter()
            waiting, steps = list(ways[start]), 0
            while waiting and steps < 1000:
                steps += 1
                reached[at := waiting.pop()] += 1
                waiting += ways.get(at, [])
            for end, count in reached.items():
                if count > 1:
                    ends = f"{objects.get(start, start)} to {objects.get(end, end)}"
                    yield self.found("relationships", f"lead from {ends} in more than one way", "Tableau wants one")

    def folders(self) -> Iterator[Finding]:
        for folder in self.source.element.findall("folders-common/folder"):
            for item in folder.findall("folder-item[@type='field']"):
                if (name := bare(item.get("name", ""))) not in self.source.fields:
                    yield self.found(f"folder {folder.get('name')!r}", f"has [{name}]", did_you_mean(name, self.source.fields))

    def _graph(self, path: str) -> list[Element]:
        return self.source.element.findall(f"object-graph/{path}")

    def _objects(self) -> dict[str, str]:
        """Name of the relation of each object."""
        found = {o.get("id", ""): o.find("properties/relation") for o in self._graph("objects/object")}
        return {name: "" if relation is None else relation.get("name", "") for name, relation in found.items()}

    @staticmethod
    def _end(relationship: Element, tag: str) -> str:
        end = relationship.find(tag)
        return "" if end is None else end.get("object-id", "")
