"""Small things of Tableau's XML: elements, ids that stay the same, and the document as bytes."""

from __future__ import annotations

import uuid
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

USER = "http://www.tableausoftware.com/xml/user"
VERSION = "26.2"  # format of the workbook, of Tableau 2026.2: schemas/2026_2 of tableau/tableau-document-schemas
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://commerce360.invalid/tableau")

ET.register_namespace("user", USER)


def add(parent: Element, tag: str, text: str = "", /, **attributes: str) -> Element:
    """A new last child. `_` in an attribute's name is `-`; one that ends with `_` is a word of Python; an empty text is none."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    made = ET.SubElement(parent, tag, names)
    made.text = text or None
    return made


def user(name: str) -> str:
    """An attribute of the `user` namespace."""
    return f"{{{USER}}}{name}"


def uid(*parts: str) -> str:
    """The same for the same parts."""
    return "{" + str(uuid.uuid5(NAMESPACE, "/".join(parts))).upper() + "}"


def hexadecimal(*parts: str) -> str:
    return uuid.uuid5(NAMESPACE, "/".join(parts)).hex


def simple_id(parent: Element, *parts: str) -> None:
    add(parent, "simple-id", uuid=uid(*parts))


def formatted(parent: Element, text: str, **run: str) -> None:
    add(add(parent, "formatted-text"), "run", text, **run)


def document(root: Element) -> bytes:
    """As it stands in a file; the same for the same elements."""
    ET.indent(root, "  ")
    text = ET.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8' ?>\n{text}\n".encode()
