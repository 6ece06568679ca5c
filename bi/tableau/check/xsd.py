"""Tableau's own schema of workbooks, where its file is at hand: github.com/tableau/tableau-document-schemas has one for each version.

It is not ours to pass on. It is made for .twb; a .tds is held against its type of a data source. It imports two namespaces without
saying where they are, so small stand-ins are put in their place. Needs lxml: the standard library has no schemas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bi.tableau.check.finding import Finding
from bi.tableau.xml import USER
from commerce360.errors import ConfigError

SCHEMA = "http://www.w3.org/2001/XMLSchema"
XML = "http://www.w3.org/XML/1998/namespace"
ROOT = re.compile(rb'<xs:element name="workbook"')
DATASOURCE = b'<xs:element name="datasource" type="DataSource-CT"/>'
REFERRED = re.compile(rb'<xs:(attribute|attributeGroup|element|group) [^>]*ref="user:([\w-]+)"')
ANY = b'<xs:anyAttribute namespace="##targetNamespace" processContents="skip"/>'
BODIES = {
    b"attribute": b'<xs:attribute name="%s" type="xs:string"/>',
    b"attributeGroup": b'<xs:attributeGroup name="%s">' + ANY + b"</xs:attributeGroup>",
    b"element": b'<xs:element name="%s"/>',
    b"group": b'<xs:group name="%s"><xs:sequence/></xs:group>',
}


def violations(files: Sequence[Path], xsd: Path) -> list[Finding]:
    """What each file does that the schema does not allow. Raises ConfigError when the schema or lxml is not there."""
    schema = _schema(xsd)
    from lxml import etree

    found = []
    for file in files:
        if not schema.validate(etree.parse(str(file))):
            found += [Finding(file.name, f"line {e.line}", "element", "breaks the schema", e.message) for e in schema.error_log]
    return found


def _schema(xsd: Path) -> Any:
    try:
        from lxml import etree
    except ImportError as error:
        raise ConfigError("a schema is set, and lxml is not installed", "install lxml, or unset C360_TABLEAU__XSD") from error
    if not xsd.is_file():
        raise ConfigError(f"there is no schema at {xsd}", "C360_TABLEAU__XSD names a file such as twb_2026.2.0.xsd")
    text = xsd.read_bytes()
    kinds = sorted(set(REFERRED.findall(text)))
    names = b"".join(b'<xs:attribute name="%s" type="xs:string"/>' % name for name in (b"base", b"lang", b"space"))
    stubs = {USER: b"".join(BODIES[kind] % name for kind, name in kinds), XML: names}
    for namespace in stubs:
        plain = f'<xs:import namespace="{namespace}"/>'.encode()
        text = text.replace(plain, plain[:-2] + f' schemaLocation="{namespace}"/>'.encode())
    text = ROOT.sub(DATASOURCE + rb"\g<0>", text, count=1)

    class Stubs(etree.Resolver):  # type: ignore[misc]  # lxml may be absent
        def resolve(self, url: str, _: str, context: Any) -> Any:
            body = stubs.get(url)
            if body is None:
                return None
            head = f'<xs:schema xmlns:xs="{SCHEMA}" targetNamespace="{url}">'.encode()
            return self.resolve_string(head + body + b"</xs:schema>", context)

    parser = etree.XMLParser()
    parser.resolvers.add(Stubs())
    try:
        return etree.XMLSchema(etree.fromstring(text, parser))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise ConfigError(f"{xsd} is no schema that can be used: {error}", "take it from tableau/tableau-document-schemas") from error
