"""A data source as Tableau's XML: relations, fields with their looks, folders, the object graph with its relationships.

The shape follows workbooks that Tableau wrote: datasources/*.twb of tableau/community-tableau-server-insights (2021.1: live connection,
custom SQL, descriptions, folders) and test/assets/*.twb of tableau/document-api-python (object graph), and the schema of 2026.2:

- Related tables share one flat namespace of fields; `<cols>` says which column each is, and relationships are written in the flat names.
- In custom SQL Tableau doubles `<` and `>`, because `<[Parameters].[x]>` stands for a parameter.
- An object of the graph repeats its relation, and each metadata record names its object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from bi.tableau.answers import Answer
from bi.tableau.calculations import CALCULATIONS, PARAMETERS, Parameter
from bi.tableau.connection import connection
from bi.tableau.environments import Environment
from bi.tableau.fields import TABLES, Field
from bi.tableau.model import Relationship, fields, relationships, views
from bi.tableau.xml import VERSION, add, formatted, hexadecimal

STAR, STAR_CAPTION = "federated.commerce360", "Commerce 360"
PARAMETERS_SOURCE = "Parameters"
# OLE DB numbers of types, as they stand in metadata records.
REMOTE_TYPES = {"integer": "131", "real": "131", "string": "129", "boolean": "11", "date": "7", "datetime": "7"}
AGGREGATIONS = {"integer": "Sum", "real": "Sum", "date": "Year", "datetime": "Year"}


def escaped(sql: str) -> str:
    """As Tableau writes custom SQL."""
    return sql.replace("<", "<<").replace(">", ">>")


def unescaped(text: str) -> str:
    return text.replace("<<", "<").replace(">>", ">")


def object_id(relation: str) -> str:
    return f"{relation}_{hexadecimal('object', relation).upper()}"


def source_name(answer: Answer) -> str:
    return f"federated.c360_{answer.name}"


def star(root: Element, environment: Environment, initial_sql: str) -> None:
    """Fill a `datasource` element with the star."""
    federated, named = connection(root, STAR, environment, initial_sql)
    tables = [(view.entity.upper(), f"[{environment.database}].[{view.schema}].[{view.entity.upper()}]") for view in views()]
    collection = add(federated, "relation", type="collection")
    for name, table in tables:
        add(collection, "relation", connection=named, name=name, table=table, type="table")
    _columns(federated, fields())
    _looks(root, [*fields(), *CALCULATIONS], [(name, TABLES[name.lower()]) for name, _ in tables])
    _folders(root)
    graph = _objects(root, [(name, TABLES[name.lower()]) for name, _ in tables], star=True)
    for (name, table), properties in zip(tables, graph.iter("properties"), strict=True):
        add(properties, "relation", connection=named, name=name, table=table, type="table")
    related = add(graph, "relationships")
    for relationship in relationships():
        _relate(related, relationship)


def answer(root: Element, answer: Answer, environment: Environment, initial_sql: str) -> None:
    """Fill a `datasource` element with the rows of a file of bi/queries."""
    federated, named = connection(root, source_name(answer), environment, initial_sql)
    add(federated, "relation", escaped(answer.sql), connection=named, name=answer.name, type="text")
    _columns(federated, answer.fields, mapped=False)
    _looks(root, answer.fields, [(answer.name, answer.caption)])
    graph = _objects(root, [(answer.name, answer.caption)])
    for properties in graph.iter("properties"):
        add(properties, "relation", escaped(answer.sql), connection=named, name=answer.name, type="text")


def parameters(parent: Element) -> None:
    """The data source that holds the workbook's parameters."""
    made = add(parent, "datasource", hasconnection="false", inline="true", name=PARAMETERS_SOURCE, version=VERSION)
    add(made, "aliases", enabled="yes")
    for parameter in PARAMETERS:
        parameter_column(made, parameter)


def parameter_column(parent: Element, parameter: Parameter) -> None:
    number = {"param_domain_type": "range", "role": "measure", "type": "quantitative", "value": str(parameter.value)}
    made = add(parent, "column", caption=parameter.name, datatype="integer", name=f"[{parameter.name}]", **number)
    add(made, "calculation", class_="tableau", formula=str(parameter.value))
    formatted(add(made, "desc"), parameter.comment)
    add(made, "range", granularity="1", max=str(parameter.most), min=str(parameter.least))


def column(parent: Element, field: Field) -> Element:
    """A field's declaration, in a data source and in every sheet that uses it."""
    attributes = {"caption": field.caption, "datatype": field.datatype, "name": f"[{field.name}]", "role": field.role, "type": field.type}
    if field.default_format:
        attributes["default_format"] = field.default_format
    if field.aggregation:
        attributes["aggregation"] = field.aggregation
    if field.hidden:
        attributes["hidden"] = "true"
    made = add(parent, "column", **attributes)
    if field.formula:
        add(made, "calculation", class_="tableau", formula=field.formula)
    if field.comment:
        formatted(add(made, "desc"), field.comment)
    return made


def _columns(federated: Element, given: Sequence[Field], mapped: bool = True) -> None:
    if mapped:
        names = add(federated, "cols")
        for field in sorted(given, key=lambda f: f.name):
            add(names, "map", key=f"[{field.name}]", value=f"[{field.table}].[{field.column}]")
    records = add(federated, "metadata-records")
    for ordinal, field in enumerate(given):
        record = add(records, "metadata-record", class_="column")
        add(record, "remote-name", field.column)
        add(record, "remote-type", REMOTE_TYPES[field.datatype])
        add(record, "local-name", f"[{field.name}]")
        add(record, "parent-name", f"[{field.table}]")
        add(record, "remote-alias", field.column)
        add(record, "ordinal", str(ordinal + 1))
        add(record, "local-type", field.datatype)
        add(record, "aggregation", AGGREGATIONS.get(field.datatype, "Count"))
        add(record, "contains-null", "true" if field.nullable else "false")
        add(record, "object-id", f"[{object_id(field.table)}]")


def _looks(root: Element, given: Iterable[Field], tables: Sequence[tuple[str, str]]) -> None:
    add(root, "aliases", enabled="yes")
    for field in given:
        column(root, field)
    for name, caption in tables:
        internal = f"[__tableau_internal_object_id__].[{object_id(name)}]"
        add(root, "column", caption=caption, datatype="table", name=internal, role="measure", type="quantitative")


def _folders(root: Element) -> None:
    folders = add(root, "folders-common")
    calculated = [f for f in CALCULATIONS if not f.hidden]
    named = [(TABLES[v.entity], [f for f in fields() if f.table == v.entity.upper() and not f.hidden]) for v in views()]
    for name, members in [*named, ("Measures", calculated)]:
        folder = add(folders, "folder", name=name)
        for field in members:
            add(folder, "folder-item", name=f"[{field.name}]", type="field")


def _objects(root: Element, tables: Sequence[tuple[str, str]], star: bool = False) -> Element:
    add(root, "layout", dim_ordering="alphabetic", measure_ordering="alphabetic", show_structure="false")
    if star:
        needs = add(root, "datasource-dependencies", datasource=PARAMETERS_SOURCE)
        for parameter in PARAMETERS:
            parameter_column(needs, parameter)
    graph = add(root, "object-graph")
    objects = add(graph, "objects")
    for name, caption in tables:
        add(add(objects, "object", caption=caption, id=object_id(name)), "properties", context="")
    return graph


def _relate(parent: Element, relationship: Relationship) -> None:
    made = add(parent, "relationship")
    outer = add(made, "expression", op="AND") if len(relationship.pairs) > 1 else made
    for first, second in relationship.pairs:
        equal = add(outer, "expression", op="=")
        add(equal, "expression", op=f"[{first.name}]")
        add(equal, "expression", op=f"[{second.name}]")
    add(made, "first-end-point", object_id=object_id(relationship.first))
    add(made, "second-end-point", object_id=object_id(relationship.second), unique_key="true")
