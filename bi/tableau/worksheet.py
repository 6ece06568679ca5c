"""A sheet as Tableau's XML: the fields it depends on, its filters and order, marks, and shelves.

The shape follows the workbooks that `datasource` names. A field on a shelf is an instance of a column, `[<derivation>:<field>:<kind>]`,
where the kind is nk (discrete), ok (discrete and ordered) or qk (continuous).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from bi.tableau.calculations import PARAMETERS
from bi.tableau.datasource import PARAMETERS_SOURCE, column, parameter_column
from bi.tableau.fields import Field
from bi.tableau.sheets import Only, Pill, Sheet
from bi.tableau.xml import add, simple_id, user

DERIVATIONS = {"none": "None", "sum": "Sum", "avg": "Avg", "usr": "User", "tdy": "Day-Trunc"}
REFERENCE = re.compile(r"\[([^\[\]]+)\](?:\.\[([^\[\]]+)\])?")
NAMES, VALUES = ":Measure Names", "Multiple Values"


@dataclass(frozen=True)
class Source:
    """A data source as its sheets see it."""

    name: str
    caption: str
    fields: Mapping[str, Field]

    def instance(self, pill: Pill) -> str:
        """Name of the column instance, without brackets."""
        field = self.fields[pill.field]
        quantity = pill.axis or pill.derivation == "tdy" or (field.role == "measure" and pill.derivation != "none")
        return f"{pill.derivation}:{field.name}:{'qk' if quantity else 'nk' if field.type == 'nominal' else 'ok'}"

    def shelf(self, pill: Pill) -> str:
        return f"[{self.name}].[{self.instance(pill)}]"


def worksheet(parent: Element, sheet: Sheet, source: Source) -> None:
    made = add(parent, "worksheet", name=sheet.name)
    table = add(made, "table")
    view = add(table, "view")
    add(add(view, "datasources"), "datasource", caption=source.caption, name=source.name)
    if uses_parameters(sheet, source):
        add(view.find("datasources"), "datasource", name=PARAMETERS_SOURCE)  # type: ignore[arg-type]  # it was made above
    _dependencies(view, sheet, source)
    if sheet.measures:
        _measures_shown(view, sheet, source)
    for only in sheet.filters:
        _filter(view, only, source)
    if sheet.descending:
        what, by = sheet.descending
        add(view, "computed-sort", column=source.shelf(what), direction="DESC", using=source.shelf(by))
    if shown := [source.shelf(Pill(only.field)) for only in sheet.filters]:
        slices = add(view, "slices")
        for name in shown:
            add(slices, "column", name)
    add(view, "aggregation", value="true")
    add(table, "style")
    _pane(table, sheet, source)
    rows = f"[{source.name}].[{NAMES}]" if sheet.measures else _shelf(sheet.rows, source)
    add(table, "rows", rows)
    add(table, "cols", f"[{source.name}].[{VALUES}]" if sheet.measures else _shelf(sheet.cols, source))
    simple_id(made, "sheet", sheet.name)


def pills(sheet: Sheet) -> list[Pill]:
    """All that a sheet shows or filters by, each once."""
    found = [*sheet.rows, *sheet.cols, *sheet.measures, *(sheet.descending or ())]
    found += [p for p in (sheet.color, sheet.text) if p] + [Pill(only.field) for only in sheet.filters]
    return list(dict.fromkeys(found))


def uses_parameters(sheet: Sheet, source: Source) -> bool:
    return any(f"[{PARAMETERS_SOURCE}]." in source.fields[name].formula for name in _needed(sheet, source))


def _needed(sheet: Sheet, source: Source) -> list[str]:
    """Names of the fields that a sheet uses, and of those that their formulas use."""
    found: dict[str, None] = {}
    waiting = [pill.field for pill in pills(sheet)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += [a for a, b in REFERENCE.findall(source.fields[name].formula) if not b]
    return sorted(found)


def _dependencies(view: Element, sheet: Sheet, source: Source) -> None:
    if uses_parameters(sheet, source):
        needs = add(view, "datasource-dependencies", datasource=PARAMETERS_SOURCE)
        for parameter in PARAMETERS:
            parameter_column(needs, parameter)
    needs = add(view, "datasource-dependencies", datasource=source.name)
    for name in _needed(sheet, source):
        column(needs, source.fields[name])
    for instance, pill in sorted((source.instance(p), p) for p in pills(sheet)):
        kind = {"qk": "quantitative", "nk": "nominal", "ok": "ordinal"}[instance.rsplit(":", 1)[1]]
        derivation = DERIVATIONS[pill.derivation]
        add(needs, "column-instance", column=f"[{pill.field}]", derivation=derivation, name=f"[{instance}]", pivot="key", type=kind)


def _measures_shown(view: Element, sheet: Sheet, source: Source) -> None:
    level = f"[{NAMES}]"
    kept = add(view, "filter", class_="categorical", column=f"[{source.name}].{level}")
    union = add(kept, "groupfilter", function="union", **{user("op"): "manual"})
    for pill in sheet.measures:
        add(union, "groupfilter", function="member", level=level, member=f'"{source.shelf(pill)}"')
    order = add(view, "manual-sort", column=f"[{source.name}].{level}", direction="ASC")
    buckets = add(order, "dictionary")
    for pill in sheet.measures:
        add(buckets, "bucket", f'"{source.shelf(pill)}"')


def _filter(view: Element, only: Only, source: Source) -> None:
    instance = source.instance(Pill(only.field))
    kept = add(view, "filter", class_="categorical", column=f"[{source.name}].[{instance}]")
    marks = {user("ui-domain"): "relevant", user("ui-enumeration"): "exclusive" if only.exclude else "inclusive"}
    marks[user("ui-marker")] = "enumerate"
    members = [str(m).lower() if isinstance(m, bool) else f'"{m}"' for m in only.members]
    if len(members) == 1 and not only.exclude:
        add(kept, "groupfilter", function="member", level=f"[{instance}]", member=members[0], **marks)
        return
    outer = kept
    if only.exclude:
        outer = add(kept, "groupfilter", function="except", **marks)
        add(outer, "groupfilter", function="level-members", level=f"[{instance}]")
        union = add(outer, "groupfilter", function="union")
    else:
        union = add(outer, "groupfilter", function="union", **marks)
    for member in members:
        add(union, "groupfilter", function="member", level=f"[{instance}]", member=member)


def _pane(table: Element, sheet: Sheet, source: Source) -> None:
    pane = add(add(table, "panes"), "pane", selection_relaxation_option="selection-relaxation-allow")
    add(add(pane, "view"), "breakdown", value="auto")
    add(pane, "mark", class_=sheet.mark)
    encodings = {"color": sheet.color, "text": sheet.text}
    if sheet.measures:
        add(add(pane, "encodings"), "text", column=f"[{source.name}].[{VALUES}]")
    elif any(encodings.values()):
        made = add(pane, "encodings")
        for kind, pill in encodings.items():
            if pill:
                add(made, kind, column=source.shelf(pill))
    if sheet.text or sheet.measures:
        rule = add(add(pane, "style"), "style-rule", element="mark")
        add(rule, "format", attr="mark-labels-show", value="true")


def _shelf(given: Iterable[Pill], source: Source) -> str:
    """Dimensions nest: `(a / (b / c))`. What is measured stands alone."""
    names = [source.shelf(pill) for pill in given]
    text = names[-1] if names else ""
    for name in reversed(names[:-1]):
        text = f"({name} / {text})"
    return text
