"""Put the data source and the workbook on a Tableau server, made for an environment. May be run again: what is there is overwritten.

Over the REST API with tableauserverclient and a personal access token. Credentials of the warehouse are not published: who opens the
workbook signs in to Snowflake, or has saved credentials on the server. Each call ends before the next begins, so an interrupted run is
repeated whole.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bi.tableau.connection import for_environment
from bi.tableau.environments import Environment
from bi.tableau.workbook import DATASOURCE, WORKBOOK
from bi.tableau.xml import VERSION
from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import Tableau, read_secret

TITLES = {DATASOURCE: "Commerce 360", WORKBOOK: "Commerce 360"}
TAGS = ("commerce360",)
LEAST_API = (3, 6)  # the first that takes a personal access token


@dataclass
class Done:
    """`steps`: what was done, or would be; `urls`: pages of what was published."""

    project: str
    steps: list[str] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)


def publish(files: dict[str, bytes], environment: Environment, settings: Tableau, dry_run: bool = False) -> Done:
    """Raises ConfigError for a setting that is missing, UnavailableError when nobody answers, C360Error for what the server refuses."""
    import tableauserverclient as tsc

    address = settings.server or environment.server
    if not address:
        raise ConfigError(
            f"environment {environment.name} has no Tableau server", "set C360_TABLEAU__SERVER, give --server, or write it there"
        )
    address = _safe(address)
    if not settings.token_name:
        raise ConfigError("there is no personal access token", "set C360_TABLEAU__TOKEN_NAME and C360_TABLEAU__TOKEN_FILE")
    secret = read_secret(settings.token_file, "secret of the personal access token").get_secret_value()
    rewritten = {name: for_environment(content, environment) for name, content in files.items()}
    with _told(address):
        server = tsc.Server(address, http_options={"timeout": settings.timeout_s})
        _fits(server)
        with server.auth.sign_in(tsc.PersonalAccessTokenAuth(settings.token_name, secret, environment.site)):
            return Publisher(server, environment, dry_run).run(rewritten)


class Publisher:
    """One run, signed in."""

    def __init__(self, server: Any, environment: Environment, dry_run: bool) -> None:
        self.server = server
        self.environment = environment
        self.dry_run = dry_run
        self.done = Done(environment.project)

    def run(self, files: dict[str, bytes]) -> Done:
        project = self._project()
        with tempfile.TemporaryDirectory() as folder:
            for name in (DATASOURCE, WORKBOOK):
                file = Path(folder) / name
                file.write_bytes(files[name])
                self._publish(file, project)
        return self.done

    def _project(self) -> str | None:
        """Its id; None for one that would be made."""
        import tableauserverclient as tsc

        name = self.environment.project
        for project in tsc.Pager(self.server.projects):
            if project.name == name and not project.parent_id:
                return str(project.id)
        self.done.steps.append(f"create project {name!r}")
        return None if self.dry_run else str(self.server.projects.create(tsc.ProjectItem(name)).id)

    def _publish(self, file: Path, project: str | None) -> None:
        import tableauserverclient as tsc

        is_source = file.name == DATASOURCE
        endpoint = self.server.datasources if is_source else self.server.workbooks
        what = "data source" if is_source else "workbook"
        there = project is not None and self._exists(endpoint, TITLES[file.name], project)
        self.done.steps.append(f"{'overwrite' if there else 'create'} {what} {TITLES[file.name]!r} for {self.environment.host}")
        if self.dry_run or project is None:
            return
        item: Any = tsc.DatasourceItem(project, TITLES[file.name])
        if not is_source:
            item = tsc.WorkbookItem(project, TITLES[file.name], show_tabs=True)
        more = {} if is_source else {"skip_connection_check": True}
        published = endpoint.publish(item, str(file), tsc.Server.PublishMode.Overwrite, **more)
        endpoint.add_tags(published, [*TAGS, self.environment.name])
        self._connected(endpoint, published, what)
        if not is_source and self.environment.freshness == "live":
            published.show_tabs = True  # an update says it again
            published.data_freshness_policy = tsc.DataFreshnessPolicyItem(tsc.DataFreshnessPolicyItem.Option.AlwaysLive)
            endpoint.update(published)
        self.done.urls[file.name] = published.webpage_url or ""

    def _exists(self, endpoint: Any, name: str, project: str) -> bool:
        import tableauserverclient as tsc

        options = tsc.RequestOptions()
        options.filter.add(tsc.Filter(tsc.RequestOptions.Field.Name, tsc.RequestOptions.Operator.Equals, name))
        return any(item.project_id == project for item in tsc.Pager(endpoint, options))

    def _connected(self, endpoint: Any, published: Any, what: str) -> None:
        """The server lists the connections of what it has; one that leads elsewhere is pointed at the environment's account."""
        endpoint.populate_connections(published)
        for connection in published.connections:
            if connection.connection_type == "snowflake" and connection.server_address != self.environment.host:
                connection.server_address = self.environment.host
                endpoint.update_connection(published, connection)
                self.done.steps.append(f"point a connection of the {what} at {self.environment.host}")


def _safe(address: str) -> str:
    """With its scheme. Raises ConfigError where the token would travel in the clear."""
    whole = address if "://" in address else f"https://{address}"
    parts = urlsplit(whole)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(f"{address} is not https", "the token would travel unencrypted")
    return whole.rstrip("/")


def _fits(server: Any) -> None:
    """Talk as new as the server does. Raises C360Error for a server that is older than the files' format."""
    info = server.server_info.get()
    if info is None:
        raise C360Error(f"{server.server_address} does not say which version it is", "is it the address of a Tableau server?")
    product = tuple(int(part) for part in re.findall(r"\d+", info.product_version)[:2])
    year, release = VERSION.split(".")
    needed = (2000 + int(year), int(release))
    if product < needed:
        have, want = (".".join(map(str, version)) for version in (product, needed))
        raise C360Error(f"the server is Tableau {have}, and the files are made for {want}", "publish on a server of that version or newer")
    if tuple(int(part) for part in info.rest_api_version.split(".")) < LEAST_API:
        raise C360Error(f"the server's REST API is {info.rest_api_version}", "personal access tokens need 3.6 (Tableau 2019.4)")
    server.version = info.rest_api_version


HINTS = {
    "401001": "is the token's name and secret right, has it ended, and is `site` the site's name in its address?",
    "401002": "the session ended: publish again; a token is for one session at a time",
    "403": "the token's user needs a role that may publish, and Publish and Overwrite permission on the project",
    "404": "was something removed meanwhile? publish again",
    "409": "somebody else publishes the same, or a project of that name is elsewhere: publish again",
}


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Errors of the client and of the server become ours, with what to do."""
    import requests
    from tableauserverclient.server import exceptions as missing
    from tableauserverclient.server.endpoint import exceptions as refused

    try:
        yield
    except (refused.ServerResponseError, refused.FailedSignInError) as error:
        hint = HINTS.get(error.code) or HINTS.get(error.code[:3], "see the server's log")
        detail = f": {error.detail}" if error.detail else ""
        raise C360Error(f"{address} refuses ({error.code} {error.summary}{detail})", hint) from error
    except refused.InternalServerError as error:
        raise UnavailableError(f"{address} failed with {error.code}", "publish again; the server's log says more") from error
    except (refused.NonXMLResponseError, missing.EndpointUnavailableError, missing.ServerInfoEndpointNotFoundError) as error:
        raise C360Error(f"{address} does not answer as a Tableau server does", "is that its address, without a page or a site?") from error
    except requests.Timeout as error:
        told = "nobody knows whether the server went on; publish again, it overwrites. More time: C360_TABLEAU__TIMEOUT_S"
        raise UnavailableError(f"{address} did not answer in time", told) from error
    except requests.RequestException as error:
        raise UnavailableError(f"{address} cannot be reached: {error}", "is the address right, and the server up?") from error
