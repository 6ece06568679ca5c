"""The registry and Connect over HTTPS, with a password or a token, against a server of their own kind; and what is refused beforehand."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commerce360.backfill.sending import Sender
from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.local.doubles.snowflake import keys
from commerce360.settings import Connect, Postgres, Registry, Settings
from connect_configs.client import Connect as ConnectClient
from connect_configs.http import Access
from producers.wire import find_schema_id, order_schema
from schemas.topics import ORDER_EVENTS
from stream_jobs.inputs import Inputs
from stream_jobs.sentiment import records
from stream_jobs.wire import RegistrySchemas

PASSWORD, TOKEN = "s3cret:with colon", "t0ken"
LETS_IN = {f"Basic {base64.b64encode(f'ann:{PASSWORD}'.encode()).decode()}", f"Bearer {TOKEN}"}


class Handler(BaseHTTPRequestHandler):
    """A registry and a Connect worker in one, for whoever may come in."""

    def do_GET(self) -> None:
        answers = {"/schemas/ids/7": {"schema": '"string"'}, "/subjects": [], "/connectors": ["a"]}
        self.reply(answers.get(self.path, {"id": 7, "schema": '"string"'}))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply({"id": 7})

    def reply(self, found: object) -> None:
        allowed = self.headers.get("Authorization") in LETS_IN
        body = json.dumps(found if allowed else {"error_code": 40101, "message": "who are you?"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    keys.ensure_keys(made / "unused.p8", made / "ca.pem")
    (made / "password").write_text(PASSWORD + "\n")
    (made / "token").write_text(TOKEN + "\n")
    return made


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["password", "token"])
def registry(request: pytest.FixtureRequest, folder: Path, url: str) -> Registry:
    if request.param == "token":
        return Registry(url=url, ca_file=folder / "ca.pem", token_file=folder / "token")
    return Registry(url=url, ca_file=folder / "ca.pem", user="ann", password_file=folder / "password")


def test_whoever_asks_the_registry_signs_in(registry: Registry) -> None:
    assert find_schema_id(registry, order_schema()) == 7
    assert records.find_schema_id(registry) == 7
    assert RegistrySchemas(registry)(7) == {"type": "string"}
    assert Inputs(Settings().kafka, registry, [])._missing_registry() == ""
    assert Sender(Settings(registry=registry), ORDER_EVENTS.name).encode("value", "x")  # type: ignore[arg-type]


def test_without_a_password_the_registry_is_not_read(folder: Path, url: str) -> None:
    nobody = Registry(url=url, ca_file=folder / "ca.pem")
    with pytest.raises(C360Error):
        find_schema_id(nobody, order_schema())
    assert Inputs(Settings().kafka, nobody, [])._missing_registry() != ""


def test_a_certificate_that_nobody_vouches_for_is_refused(folder: Path, url: str) -> None:
    with pytest.raises(UnavailableError):
        find_schema_id(Registry(url=url, user="ann", password_file=folder / "password"), order_schema())


def test_connect_signs_in_by_the_same_settings(folder: Path, url: str) -> None:
    found = Connect(url=url, user="ann", password_file=folder / "password", ca_file=folder / "ca.pem")
    with ConnectClient(found.url, access=Access.of(found), patience_s=0) as client:
        assert client.names() == ["a"]
    with ConnectClient(found.url, access=Access(ca=folder / "ca.pem"), patience_s=0) as client, pytest.raises(C360Error, match="401"):
        client.names()
    with ConnectClient(found.url, access=Access("ann", PASSWORD), patience_s=0) as client, pytest.raises(ConfigError, match="no trusted"):
        client.names()


def test_a_secret_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="password of ann"):
        Registry(url="https://r", user="ann", password_file=tmp_path / "none").http()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://registry.example.com", "user": "ann", "password_file": "/p"}, "plain text"),
        ({"url": "http://registry.example.com", "token_file": "/t"}, "plain text"),
        ({"url": "http://localhost.example.com", "token_file": "/t"}, "plain text"),
        ({"url": "http://127.0.0.1.example.com/x", "user": "ann", "password_file": "/p"}, "plain text"),
        ({"url": "https://r", "password_file": "/p"}, "without a user"),
        ({"url": "https://r", "user": "ann", "token_file": "/t"}, "not both"),
        ({"url": "https://ann:" + PASSWORD[:6] + "@r/x"}, "holds a user"),
    ],
)
def test_what_would_give_a_secret_away_is_refused(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Registry(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost", "http://[::1]:8081", "HTTP://LOCALHOST:1"])
def test_loopback_needs_no_tls(url: str) -> None:
    assert Registry(url=url, token_file=Path("/t")).url == url


def test_no_secret_shows(folder: Path, url: str) -> None:
    settings = Settings(registry=Registry(url=url, user="ann", password_file=folder / "password"))
    assert PASSWORD not in repr(settings) + settings.model_dump_json()


def test_postgres_by_tls(folder: Path) -> None:
    plain = Postgres(password_file=folder / "password").conninfo()
    assert "sslmode=prefer" in plain
    assert "sslrootcert" not in plain
    full = Postgres(password_file=folder / "password", sslmode="verify-full", sslrootcert="system").conninfo()
    assert "sslmode=verify-full" in full
    assert "sslrootcert=system" in full
