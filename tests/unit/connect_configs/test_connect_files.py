"""Files, references, contexts: what is refused, and that no secret is kept or shown."""

from __future__ import annotations

import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import ConfigError
from connect_configs import files
from connect_configs.client import Connect
from connect_configs.contexts import Context, Contexts
from connect_configs.http import ConnectUnavailableError, Transport, encoded
from connect_configs.variables import HIDDEN, UnresolvedError, Variables, read_env_file, references, shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a connector's configuration"),
        ("{}", "is not a connector's configuration"),
        ('{"a": "1", "a": "2"}', "'a' stands twice"),
        ('{"a": {"b": 1}}', "a is an object, not a text"),
        ('{"a": [1]}', "a is a list, not a text"),
        ('{"a": null}', "a is null, not a text"),
        ('{"name": "a/b", "x": "1"}', "no connector name that every address takes"),
        ('{"name": "..", "config": {"x": "1"}}', "no connector name that every address takes"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        files.configurations(tmp_path)
    assert "bad.json" in raised.value.message


def test_both_forms_of_curl_are_read(tmp_path: Path) -> None:
    (tmp_path / "put.json").write_text('{"connector.class": "X", "tasks.max": 1, "flag": true}')
    (tmp_path / "post.json").write_text('{"name": "other", "config": {"connector.class": "Y"}}')
    assert files.read([tmp_path]) == {
        "put": {"connector.class": "X", "tasks.max": "1", "flag": "true"},
        "other": {"connector.class": "Y"},
    }
    (tmp_path / "other.json").write_text('{"connector.class": "Z"}')
    with pytest.raises(ConfigError, match="are both connector other"):
        files.read([tmp_path])


def test_a_folder_without_files_is_not_a_plan_to_delete_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no \*\.json"):
        files.read([tmp_path])
    with pytest.raises(ConfigError, match="no such file"):
        files.read([tmp_path / "none.json"])


def test_references_are_resolved_as_the_worker_would(tmp_path: Path) -> None:
    (tmp_path / "secrets.properties").write_text("# comment\nuser = ann\npassword: p=1:2 \n")
    (tmp_path / "token").write_text("t0k\n")
    found = Variables({"A": "1"})
    assert found.resolve("x-${env:A}-${env:A}") == "x-1-1"
    assert found.resolve(f"${{file:{tmp_path}/secrets.properties:password}}") == "p=1:2"
    assert found.resolve(f"${{dir:{tmp_path}:token}}") == "t0k"
    with pytest.raises(UnresolvedError, match=r"\$\{env:B\} cannot be resolved here"):
        found.resolve("${env:B}")
    assert [(r.provider, r.path, r.key) for r in references("${env:A}:${file:/a/b:c.d}")] == [("env", "", "A"), ("file", "/a/b", "c.d")]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("database.password", "hunter2", HIDDEN),
        ("database.password", "${env:P}", "${env:P}"),
        ("database.password", "x${env:P}", HIDDEN),
        ("connection.uri", "mongodb://u:hunter2@host/db", f"mongodb://{HIDDEN}@host/db"),
        ("connection.uri", "mongodb://${env:U}:${env:P}@host/db", "mongodb://${env:U}:${env:P}@host/db"),
        ("connection.uri", "mongodb://u:p@hunter2@host/db", f"mongodb://{HIDDEN}@host/db"),
        ("connection.uri", "mongodb://u:p/hunter2@host/db", f"mongodb://{HIDDEN}@host/db"),
        ("connection.uri", "mongodb://u:p@x?hunter2@host/db?a=b@c", f"mongodb://{HIDDEN}@host/db?a=b@c"),
        ("connection.uri", "mongodb://u:p hunter2@host/db", f"mongodb://{HIDDEN}@host/db"),
        ("connection.uri", "mongodb://${env:U}:${env:P}@a,mongodb://u:hunter2@b", f"mongodb://{HIDDEN}@b"),
        ("connection.uri", "mongodb://u:x${env:P}@host/db", f"mongodb://{HIDDEN}@host/db"),
        ("connection.uri", "mongodb://u:${env:P}@host/db?a=b@c", "mongodb://u:${env:P}@host/db?a=b@c"),
        ("connection.uri", "u:hunter2@host", f"{HIDDEN}@host"),
        ("connection.uri", "u:${env:P}@host", "u:${env:P}@host"),
        ("store.url", "https://u:p/hunter2@host/x", f"https://{HIDDEN}@host/x"),
        ("store.url", "https://host:8083/@scope/x", "https://host:8083/@scope/x"),
        ("store.url", "abfss://container@account.dfs.core.windows.net/", "abfss://container@account.dfs.core.windows.net/"),
        ("connection.url", "jdbc:postgresql://h/d?password=hunter2&user=u", f"jdbc:postgresql://h/d?password={HIDDEN}&user=u"),
        ("connection.url", "jdbc:sqlserver://h:1433;user=a@h;pwd={hunter2}", f"jdbc:sqlserver://h:1433;user=a@h;pwd={HIDDEN}"),
        ("connection.url", "jdbc:x://h/d?password=${env:P}&user=u", "jdbc:x://h/d?password=${env:P}&user=u"),
        ("connection.url", "jdbc:oracle:thin:@//host:1521/x", "jdbc:oracle:thin:@//host:1521/x"),
        ("connection.url", "jdbc:oracle:thin:scott/hunter2@//host:1521/x", f"jdbc:oracle:thin:{HIDDEN}@//host:1521/x"),
        ("properties", "sasl.password=hunter2;ssl.key.password='a hunter2'", f"sasl.password={HIDDEN};ssl.key.password={HIDDEN}"),
        ("headers", "Authorization: Basic aHVudGVyMg==", f"Authorization: Basic {HIDDEN}"),
        ("credentials.source", "USER_INFO", "USER_INFO"),
        ("s3.credentials.provider.retries", "3", "3"),
        ("odd", "\ue0007\ue001", "\ue0007\ue001"),
        ("producer.override.sasl.jaas.config", "x required password='p';", HIDDEN),
        ("aws.access.key.id", "AKIA", HIDDEN),
        ("key.converter", "org.X", "org.X"),
        ("message.key.columns", "a:b", "a:b"),
        ("table.include.list", "sales.tokens_are_fine", "sales.tokens_are_fine"),
        ("", "", ""),
    ],
)
def test_secrets_are_not_shown(key: str, value: str, expected: str) -> None:
    assert shown(key, value) == expected


def test_env_files_take_what_env_prints(tmp_path: Path) -> None:
    file = tmp_path / "worker.env"
    file.write_text("# c\n\nexport A=1\nB='two words'\nC=a=b\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "a=b"}
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(ConfigError, match="line 2"):
        read_env_file(file)


def test_a_context_keeps_places_of_secrets_and_never_secrets(tmp_path: Path) -> None:
    store = Contexts(tmp_path / "c" / "connect.toml")
    with pytest.raises(ConfigError, match="the password is given in plain text"):
        store.add(Context("prod", "https://h", user="u", password="hunter2"))
    with pytest.raises(ConfigError, match="holds a user name or a password"):
        store.add(Context("prod", "https://u:hunter2@h"))
    assert not store.path.exists()
    store.add(Context("prod", 'https://h/con"nect', user="u", password="env:PW"))
    store.add(Context("test", "http://t:8083,http://t2:8083", token="env:TOKEN"))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.chosen() == "prod"
    assert Contexts(store.path).get("prod") == Context("prod", 'https://h/con"nect', user="u", password="env:PW")
    assert store.get("prod").cluster({"PW": "hunter2"}).client.url == 'https://h/con"nect'
    assert "hunter2" not in store.path.read_text() + repr(store.get("prod").cluster({"PW": "hunter2"}))
    with pytest.raises(ConfigError, match="is not at env:PW"):
        store.get("prod").cluster({})
    store.use("test")
    store.remove("test")
    assert (store.chosen(), list(store.all())) == ("", ["prod"])
    with pytest.raises(ConfigError, match="there is no context test"):
        store.use("test")


def test_a_context_file_with_unknown_settings_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "connect.toml"
    file.write_text('[contexts.a]\nurl = "http://h"\npasword = "env:X"\n')
    with pytest.raises(ConfigError, match="unknown pasword"):
        Contexts(file).all()
    file.write_text("[[")
    with pytest.raises(ConfigError, match="cannot be read"):
        Contexts(file).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("a;b?c#d", "a%3Bb%3Fc%23d"),
        ("a%2Fb", "a%252Fb"),
    ],
)
def test_a_hostile_name_stays_one_segment(name: str, expected: str) -> None:
    assert encoded(name) == expected


@pytest.mark.parametrize("url", ["", "host:8083", "ftp://h", "http://", "http://u:p@h", "http://h,junk"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Transport(url)
    assert ":p@" not in raised.value.message


class Counting(list[str]):
    """A list in which everything is slow, so that threads meet."""

    def __getitem__(self, at: Any) -> Any:
        time.sleep(0.001)
        return super().__getitem__(at)

    def pop(self, *at: Any) -> str:
        found = super().pop(*at)
        time.sleep(0.001)
        return found


@pytest.mark.parametrize("urls", ["http://127.0.0.1:1", "http://127.0.0.1:1,http://127.0.0.1:2"])
def test_threads_that_share_a_client_find_a_worker_in_its_list(urls: str) -> None:
    client = Connect(urls, patience_s=0.5)
    client.http._urls = Counting(client.http._urls)
    said: list[str] = []

    def ask() -> None:
        try:
            client.names()
        except ConnectUnavailableError as error:
            said.append(error.message)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 16
    assert client.url in urls.split(",")


class Nobody(BaseHTTPRequestHandler):
    """A worker without connectors."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        pass


def test_a_worker_that_is_away_is_left_once_by_all_threads() -> None:
    """Each call moves on from the worker that it asked: two that fail together must not come back to it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Nobody) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_address[1]}"
        with Transport(f"http://127.0.0.1:1,{there}", patience_s=60) as transport, ThreadPoolExecutor(8) as pool:
            transport._opened()
            assert list(pool.map(lambda _: transport.call("GET", "connectors"), range(8))) == [[]] * 8
            assert transport.url == there
        server.shutdown()


def test_a_worker_that_is_away_is_told_in_one_line() -> None:
    with pytest.raises(ConnectUnavailableError, match="nothing listens there") as raised:
        Transport("http://127.0.0.1:1", patience_s=0).call("GET", "connectors")
    assert raised.value.exit_code == 3
