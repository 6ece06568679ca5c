"""A worker behind TLS that wants to know who calls: the client's certificate is shown, and a server of another CA is not trusted."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from commerce360.errors import C360Error, ConfigError
from commerce360.local.doubles.snowflake import keys
from connect_configs.client import Connect
from connect_configs.http import Access


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(["a"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Quiet(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who has no certificate is hung up on."""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's CA, certificate and key as the local warehouse has them; a client that the server knows by its own certificate."""
    folder = tmp_path_factory.mktemp("tls")
    keys.ensure_keys(folder / "unused.p8", folder / "ca.pem")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    (folder / "client.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "client.key").write_bytes(key.private_bytes(*private))
    return folder


@pytest.fixture
def url(tls: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    context.load_verify_locations(tls / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with Quiet(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_with_a_certificate_of_its_own(tls: Path, url: str) -> None:
    access = Access(certificate=tls / "client.pem", key=tls / "client.key", ca=tls / "ca.pem")
    assert Connect(url, access=access, patience_s=0).names() == ["a"]


def test_without_one_or_with_an_unknown_server_nothing_is_read(tls: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(C360Error):
        Connect(url, access=Access(ca=tls / "ca.pem"), patience_s=0).names()
    with pytest.raises(ConfigError, match="no trusted connection"):
        Connect(url, access=Access(certificate=tls / "client.pem", key=tls / "client.key"), patience_s=0).names()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls / "nothing.pem"))  # somebody else's must not count where a context names its own
    assert Connect(url, access=Access(certificate=tls / "client.pem", key=tls / "client.key", ca=tls / "ca.pem"), patience_s=0).names()
