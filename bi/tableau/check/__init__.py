"""What is wrong with a data source or a workbook of Tableau, before anybody opens it: a file against the warehouse that it asks.

Tableau's schema (`xsd`) knows elements and their order, and nothing of names; these checks know names and types.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from bi.tableau.check import sheets, sources
from bi.tableau.check.catalogue import Catalogue
from bi.tableau.check.finding import Finding
from bi.tableau.check.reading import Document, plain
from commerce360.errors import ConfigError


def check(file: Path, catalogue: Catalogue) -> list[Finding]:
    """Everything that is wrong, in the order of the file. Raises ConfigError for a file that is neither .tds nor .twb."""
    document = read(file)
    return list(_findings(document, catalogue))


def read(file: Path) -> Document:
    try:
        root = ET.fromstring(file.read_bytes())
    except ET.ParseError as error:
        raise ConfigError(f"{file} is no XML: {error}", "a packaged file (.twbx, .tdsx) must be unpacked first") from error
    if root.tag not in ("workbook", "datasource"):
        raise ConfigError(f"{file} begins with <{root.tag}>", "give a .tds or a .twb")
    return Document(file.name, plain(root))


def _findings(document: Document, catalogue: Catalogue) -> Iterator[Finding]:
    yield from sources.findings(document, catalogue)
    yield from sheets.findings(document)
