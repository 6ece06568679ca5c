"""Sign-in, projects, uploads in parts, publishing, connections and tags: `/api/<version>/...`."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from commerce360.local.doubles.tableau.wire import answer, element, failure, parts, request_xml

ROOTS = {"datasources": "datasource", "workbooks": "workbook"}
PAGE = 100


@dataclass
class Item:
    """A published file."""

    id: str
    kind: str  # datasources or workbooks
    name: str
    project: str  # id
    content: bytes
    connections: dict[str, dict[str, str]]
    tags: set[str] = field(default_factory=set)
    tabs: bool = False
    freshness: str = "SiteDefault"
    revision: int = 1


@dataclass
class Refusal:
    """An answer to the next `times` requests of a method whose path ends so."""

    method: str
    ending: str
    code: str
    times: int = 1
    told: str = "as told"


@dataclass
class Tableau:
    """The server's state; change it while it runs."""

    token_name: str = field(default_factory=lambda: f"publisher-{secrets.token_hex(4)}")
    token_secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    site: str = ""  # its content URL; empty is the default site
    product: str = "2026.2.0"
    api: str = "3.27"
    readers_only: bool = False
    address: str = ""  # put in the place of what a published file says of its connections
    delay_s: float = 0.0  # before an answer
    projects: dict[str, str] = field(default_factory=lambda: {"p-default": "default"})  # name by id
    items: dict[str, Item] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    uploads: dict[str, bytes] = field(default_factory=dict)
    signed_out: int = 0
    requests: list[str] = field(default_factory=list)  # method and path, in order

    def app(self) -> Starlette:
        base = "/api/{version}"
        inside = base + "/sites/{site}"
        kinds = "{kind:str}"
        routes = [
            Route(base + "/serverInfo", self.server_info),
            Route(base + "/serverinfo", self.server_info),
            Route(base + "/auth/signin", self.sign_in, methods=["POST"]),
            Route(base + "/auth/signout", self.sign_out, methods=["POST"]),
            Route(inside + "/projects", self.project_list, methods=["GET"]),
            Route(inside + "/projects", self.project_made, methods=["POST"]),
            Route(inside + "/fileUploads", self.upload_begun, methods=["POST"]),
            Route(inside + "/fileUploads/{upload}", self.upload_part, methods=["PUT"]),
            Route(inside + f"/{kinds}", self.item_list, methods=["GET"]),
            Route(inside + f"/{kinds}", self.published, methods=["POST"]),
            Route(inside + f"/{kinds}/{{item}}", self.changed, methods=["PUT"]),
            Route(inside + f"/{kinds}/{{item}}/connections", self.connection_list, methods=["GET"]),
            Route(inside + f"/{kinds}/{{item}}/connections/{{connection}}", self.connection_changed, methods=["PUT"]),
            Route(inside + f"/{kinds}/{{item}}/tags", self.tagged, methods=["PUT"]),
        ]
        return Starlette(routes=[Route(r.path, self._guarded(r.endpoint), methods=list(r.methods or ())) for r in routes])

    def refuse(self, method: str, ending: str, code: str, times: int = 1) -> None:
        self.refusals.append(Refusal(method, ending, code, times))

    def named(self, kind: str, name: str) -> Item:
        return next(i for i in self.items.values() if (i.kind, i.name) == (kind, name))

    def _guarded(self, endpoint: Any) -> Any:
        async def guarded(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            await asyncio.sleep(self.delay_s)
            for refusal in self.refusals:
                if refusal.times and request.method == refusal.method and request.url.path.endswith(refusal.ending):
                    refusal.times -= 1
                    return failure(refusal.code, "Refused", refusal.told)
            path = request.url.path
            if "/sites/" in path and request.headers.get("x-tableau-auth") not in self.sessions:
                return failure("401002", "Unauthorized Access", "Invalid authentication credentials were provided.")
            if "kind" in request.path_params and request.path_params["kind"] not in ROOTS:
                return failure("404003", "Resource Not Found", "The requested resource could not be found.")
            reply: Response = await endpoint(request)
            return reply

        return guarded

    async def server_info(self, _: Request) -> Response:
        version = element("productVersion", build=f"{self.product.replace('.', '')}.0")
        version.text = self.product
        api = element("restApiVersion")
        api.text = self.api
        return answer(element("serverInfo", version, api))

    async def sign_in(self, request: Request) -> Response:
        given = (await request_xml(request)).find("credentials")
        given = element("credentials") if given is None else given
        token = (given.get("personalAccessTokenName", ""), given.get("personalAccessTokenSecret", ""))
        if token != (self.token_name, self.token_secret):
            return failure("401001", "Signin Error", "Error signing in to Tableau Server")
        site = given.find("site")
        if (site.get("contentUrl", "") if site is not None else "") != self.site:
            return failure("401001", "Signin Error", "Error signing in to Tableau Server")
        session = secrets.token_urlsafe(16)
        self.sessions.add(session)
        made = element("credentials", element("site", id="s1", contentUrl=self.site), element("user", id="u1"), token=session)
        return answer(made)

    async def sign_out(self, request: Request) -> Response:
        self.sessions.discard(request.headers.get("x-tableau-auth", ""))
        self.signed_out += 1
        return Response(status_code=204)

    async def project_list(self, request: Request) -> Response:
        return _page(request, "projects", [element("project", id=id_, name=name) for id_, name in self.projects.items()])

    async def project_made(self, request: Request) -> Response:
        if self.readers_only:
            return failure("403004", "Forbidden", "The requesting user does not have permission to perform this action.")
        project = (await request_xml(request)).find("project")
        name = "" if project is None else project.get("name", "")
        if name in self.projects.values():
            return failure("409006", "Resource Conflict", f"a project named {name} already exists")
        made = f"p-{uuid4()}"
        self.projects[made] = name
        return answer(element("project", id=made, name=name), status=201)

    async def upload_begun(self, _: Request) -> Response:
        made = secrets.token_hex(8)
        self.uploads[made] = b""
        return answer(element("fileUpload", uploadSessionId=made, fileSize=0), status=201)

    async def upload_part(self, request: Request) -> Response:
        upload = request.path_params["upload"]
        if upload not in self.uploads:
            return failure("404017", "Resource Not Found", "The upload session could not be found.")
        self.uploads[upload] += (await parts(request))["tableau_file"]
        return answer(element("fileUpload", uploadSessionId=upload, fileSize=len(self.uploads[upload]) // 1_000_000))

    async def published(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if self.readers_only:
            return failure("403004", "Forbidden", "The requesting user does not have permission to perform this action.")
        try:
            found = await parts(request)
            asked = ET.fromstring(found["request_payload"]).find(ROOTS[kind])
        except (ValueError, KeyError, ET.ParseError):
            return failure("400006", "Bad Request", "The request is not a publishing request.")
        upload = request.query_params.get("uploadSessionId")
        content = self.uploads.pop(upload, b"") if upload else found.get("tableau_" + ROOTS[kind], b"")
        project = None if asked is None else asked.find("project")
        if asked is None or project is None or project.get("id") not in self.projects:
            return failure("404005", "Resource Not Found", "The project could not be found.")
        if refused := self._unfit(kind, content):
            return refused
        reply = self._kept(kind, asked.get("name", ""), project.get("id", ""), content, request.query_params.get("overwrite") == "true")
        if reply.status_code == 201:
            self.named(kind, asked.get("name", "")).tabs = asked.get("showTabs") == "true"
        return reply

    def _unfit(self, kind: str, content: bytes) -> Response | None:
        try:
            root = ET.fromstring(content)
        except ET.ParseError as error:
            return failure("400011", "Bad Request", f"There was a problem publishing the file: {error}")
        if root.tag != ROOTS[kind]:
            return failure("400011", "Bad Request", f"There was a problem publishing the file: it is no {ROOTS[kind]}")
        own = tuple(int(part) for part in re.findall(r"\d+", self.product)[:2])
        theirs = tuple(int(part) for part in root.get("version", "0.0").split("."))
        if (2000 + theirs[0], *theirs[1:]) > own:
            return failure("400011", "Bad Request", "There was a problem publishing the file: it was made by a newer version of Tableau.")
        return None

    def _kept(self, kind: str, name: str, project: str, content: bytes, overwrite: bool) -> Response:
        there = next((i for i in self.items.values() if (i.kind, i.name, i.project) == (kind, name, project)), None)
        if there is not None and not overwrite:
            return failure("409007", "Resource Conflict", f"{name} exists, and overwrite is not set")
        connections = {str(uuid4()): c | ({"serverAddress": self.address} if self.address else {}) for c in _connections(content)}
        if there is None:
            there = Item(str(uuid4()), kind, name, project, content, connections)
            self.items[there.id] = there
        else:
            there.content, there.connections, there.revision = content, connections, there.revision + 1
        return answer(self._shown(there), status=201)

    async def item_list(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        wanted = request.query_params.get("filter", "").removeprefix("name:eq:")
        found = [self._shown(i) for i in self.items.values() if i.kind == kind and wanted in ("", i.name)]
        return _page(request, kind, found)

    def _shown(self, item: Item) -> Element:
        tags = element("tags", *(element("tag", label=tag) for tag in sorted(item.tags)))
        project = element("project", id=item.project, name=self.projects[item.project])
        webpage = f"http://tableau/#/{item.kind}/{item.id}"
        named = {"id": item.id, "name": item.name, "contentUrl": item.name, "webpageUrl": webpage}
        if item.kind == "workbooks":
            named["showTabs"] = str(item.tabs).lower()
        return element(ROOTS[item.kind], project, element("owner", id="u1"), tags, **named)

    async def connection_list(self, request: Request) -> Response:
        if (item := self.items.get(request.path_params["item"])) is None:
            return failure("404006", "Resource Not Found", "The item could not be found.")
        return answer(element("connections", *(_connection(id_, c) for id_, c in item.connections.items())))

    async def connection_changed(self, request: Request) -> Response:
        item, id_ = self.items.get(request.path_params["item"]), request.path_params["connection"]
        if item is None or id_ not in item.connections:
            return failure("404006", "Resource Not Found", "The connection could not be found.")
        asked = (await request_xml(request)).find("connection")
        item.connections[id_] |= {} if asked is None else asked.attrib
        return answer(_connection(id_, item.connections[id_]))

    async def changed(self, request: Request) -> Response:
        if (item := self.items.get(request.path_params["item"])) is None:
            return failure("404006", "Resource Not Found", "The item could not be found.")
        asked = (await request_xml(request)).find(ROOTS[item.kind])
        asked = element(ROOTS[item.kind]) if asked is None else asked
        if (policy := asked.find("dataFreshnessPolicy")) is not None:
            item.freshness = policy.get("option", "")
        item.tabs = asked.get("showTabs", str(item.tabs).lower()) == "true"
        return answer(self._shown(item))

    async def tagged(self, request: Request) -> Response:
        if (item := self.items.get(request.path_params["item"])) is None:
            return failure("404006", "Resource Not Found", "The item could not be found.")
        item.tags |= {t.get("label", "") for t in (await request_xml(request)).iter("tag")}
        return answer(element("tags", *(element("tag", label=tag) for tag in sorted(item.tags))))


def _page(request: Request, tag: str, found: list[Element]) -> Response:
    number, size = int(request.query_params.get("pageNumber", 1)), int(request.query_params.get("pageSize", PAGE))
    pagination = element("pagination", pageNumber=number, pageSize=size, totalAvailable=len(found))
    return answer(pagination, element(tag, *found[(number - 1) * size : number * size]))


def _connections(content: bytes) -> list[dict[str, str]]:
    """As the server lists them: one for each connection of the file that leads to a database."""
    found = [c for c in ET.fromstring(content).iter("connection") if c.get("class") not in (None, "federated")]
    return [
        {"type": c.get("class", ""), "serverAddress": c.get("server", ""), "serverPort": "", "userName": c.get("username", "")}
        for c in found
    ]


def _connection(id_: str, values: dict[str, str]) -> Element:
    return element("connection", **{"id": id_, "embedPassword": "false", **values})
