"""What Tableau's REST API sends and takes: XML answers, errors, and the parts of a publishing request."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from starlette.requests import Request
from starlette.responses import Response

NAMESPACE = "http://tableau.com/api"


def answer(*children: Element, status: int = 200) -> Response:
    root = Element("tsResponse", {"xmlns": NAMESPACE})
    root.extend(children)
    return Response(ET.tostring(root, encoding="utf-8", xml_declaration=True), status, media_type="application/xml")


def failure(code: str, summary: str, detail: str) -> Response:
    """The first three digits of an error's code are the status."""
    error = element("error", code=code)
    ET.SubElement(error, "summary").text = summary
    ET.SubElement(error, "detail").text = detail
    return answer(error, status=int(code[:3]))


def element(tag: str, *children: Element, **attributes: Any) -> Element:
    made = Element(tag, {name: str(value) for name, value in attributes.items()})
    made.extend(children)
    return made


async def request_xml(request: Request) -> Element:
    return ET.fromstring(await request.body() or b"<tsRequest/>")


async def parts(request: Request) -> dict[str, bytes]:
    """The parts of a multipart/mixed body by their name. Raises ValueError when it is none."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/mixed"):
        raise ValueError(kind)
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + await request.body())
    found: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        found[str(name)] = content if isinstance(content, bytes) else b""
    return found
