"""What the worker and the databases answer, made into findings that hold no secret; and the command without any server."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bson import Timestamp
from pymongo.errors import OperationFailure
from typer.testing import CliRunner

from commerce360.cli.main import app
from commerce360.errors import ConfigError
from connect_configs import sources
from connect_configs.checks import mongo_checks, postgres_checks, validation
from connect_configs.checks.findings import Finding
from connect_configs.client import Connect
from connect_configs.cluster import Cluster
from connect_configs.files import CONFIGS, configurations
from connect_configs.variables import Variables, scrub, secrets_of

SECRET = "p%40ss-word"
ALL = configurations()


def test_every_rule_that_is_given_has_a_line_and_every_line_is_used() -> None:
    for module, listed in (
        (postgres_checks, postgres_checks.RULES),
        (mongo_checks, mongo_checks.RULES),
        (validation, validation.OF_SERVER | validation.OF_SECRETS),
    ):
        assert module.__file__
        text = Path(module.__file__).read_text()
        given = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"(?=[,)\]]| if)', text))
        assert given - {"authentication-failed"} == set(listed), module.__name__
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", rule) for rule in validation.RULES)


@pytest.mark.parametrize(
    ("config", "variables"),
    [
        ({"database.password": SECRET}, Variables()),
        ({"database.password": "${env:PW}"}, Variables({"PW": SECRET})),
        ({"connection.uri": f"mongodb://ann:{SECRET}@host/"}, Variables()),
        ({"connection.uri": "${env:URI}"}, Variables({"URI": f"mongodb://ann:{SECRET}@host/"})),
        ({"connection.uri": "mongodb://ann:${env:PW}@host/"}, Variables({"PW": SECRET})),
        ({"jdbc.url": f"jdbc:postgresql://host/db?user=ann&password={SECRET}"}, Variables()),
    ],
)
def test_secrets_are_taken_out_of_what_servers_say(config: dict[str, str], variables: Variables) -> None:
    hidden = secrets_of(config, variables)
    said = f"Invalid value mongodb://ann:{SECRET}@host for {SECRET}: refused, password {SECRET}"
    assert "ss-word" not in scrub(said, hidden)
    assert "refused" in scrub(said, hidden)


def test_a_decoded_password_is_taken_out_too() -> None:
    hidden = secrets_of({"connection.uri": f"mongodb://ann:{SECRET}@host/"})
    assert "p@ss-word" not in scrub("login with p@ss-word failed", hidden)


ADDRESS = {"connection.uri": "ann:${env:PW}@${env:HOST}"}
SAID = (
    "Connector configuration is invalid and contains the following 2 error(s):\n"
    "Invalid value soon for configuration poll.interval.ms: Not a number of type INT\n"
    "Invalid value {} for configuration connection.uri: invalid host '{}', it must start with either 'mongodb://' or 'mongodb+srv://'\n"
    "You can also find the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`"
)


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hunter2 for configuration x", "x\ny hunter2"])
def test_a_value_that_only_the_worker_could_resolve_is_cut_out(password: str) -> None:
    said = scrub(SAID.format(f"ann:{password}@db", f"{password}@db"), secrets_of(ADDRESS), ADDRESS)
    assert "hun" not in said
    assert "ter2" not in said
    assert "Invalid value for configuration connection.uri: " in said
    assert "it must start with either 'mongodb://' or 'mongodb+srv://'" in said
    assert "Invalid value soon for configuration poll.interval.ms: Not a number of type INT" in said
    assert "endpoint `/connector-plugins/" in said


def test_what_only_the_context_can_resolve_is_known_as_well() -> None:
    assert "hunter2" in secrets_of(ADDRESS, Variables({"PW": "hunter2", "HOST": "db"}))
    assert "db" not in secrets_of(ADDRESS, Variables({"PW": "hunter2", "HOST": "db"}))


def test_a_message_about_an_unknown_configuration_shows_no_credentials() -> None:
    assert (
        scrub("Invalid value ann:hunter2@db for configuration connection.uri: no") == "Invalid value for configuration connection.uri: no"
    )
    assert scrub("no way to ann:hunter2@db, nor to db:27017, b@x") == "no way to ******@db, nor to db:27017, b@x"
    assert scrub("FATAL: password authentication failed for user ann") == "FATAL: password authentication failed for user ann"


@pytest.mark.parametrize("text", ["a.b-", "x:y,", "password=", "://", "Invalid value ", "a:b@", "mongodb://a:b", "'"])
@pytest.mark.timeout(30)
def test_a_hostile_text_is_scrubbed_in_time(text: str) -> None:
    assert scrub(text * 20_000)


def test_names_that_are_no_secrets_stay() -> None:
    config = ALL["oltp-postgres"]
    variables = Variables(
        {"C360_SOURCE_PG_HOST": "db.example.com", "C360_SOURCE_PG_USER": "debezium", "C360_SOURCE_PG_PASSWORD": "hidden!"}
    )
    assert secrets_of(config, variables) == ["hidden!"]


def secrets_found(config: dict[str, str], variables: Variables) -> list[tuple[str, str]]:
    return [(f.level, f.rule) for f in validation.of_secrets(variables, "a", config)]


def test_a_secret_that_only_the_worker_sees_is_unchecked() -> None:
    config = {"database.password": "${vault:kv/db:password}", "database.user": "${env:USER}"}
    assert secrets_found(config, Variables()) == [("unchecked", "secret-unresolved")]


def test_an_empty_secret_is_an_error() -> None:
    assert secrets_found({"database.password": "${env:PW}"}, Variables({"PW": ""})) == [("error", "secret-empty")]


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o640, []), (0o644, [("warning", "secret-file-open")]), (0o600, [("unchecked", "secret-file-private")])]
)
@pytest.mark.parametrize("provider", ["file", "dir"])
def test_the_file_of_a_secret_is_open_to_the_worker_and_not_to_everybody(
    tmp_path: Path, provider: str, mode: int, expected: list[tuple[str, str]]
) -> None:
    file = tmp_path / "pw"
    file.write_text(f"pw={SECRET}\n")
    file.chmod(mode)
    reference = f"${{file:{file}:pw}}" if provider == "file" else f"${{dir:{tmp_path}:pw}}"
    assert secrets_found({"database.password": reference}, Variables()) == expected


def test_without_a_cluster_the_rules_speak_and_one_line_says_what_was_not_asked() -> None:
    found = validation.validate(None, {**ALL, "bad": {"connector.class": ""}})
    assert [(f.connector, f.level, f.rule) for f in found] == [
        ("bad", "error", "class-missing"),
        (validation.EVERY, "unchecked", "server-not-asked"),
    ]


def test_errors_come_first_within_a_connector() -> None:
    given = [Finding(n, level, "r", "") for n in ("b", "a") for level in ("unchecked", "warning", "error")]  # type: ignore[arg-type]
    found = [(f.connector, f.level) for f in validation.ordered(given)]
    assert found == [(n, level) for n in ("a", "b") for level in ("error", "warning", "unchecked")]


# --- a PostgreSQL that the local one is not


class Settings:
    """A connection that answers the one question of a server's settings."""

    def __init__(self, version: int, **settings: str) -> None:
        self.info, self.settings = SimpleNamespace(server_version=version), settings

    def execute(self, *_: object) -> Settings:
        return self

    def fetchall(self) -> list[tuple[str, str]]:
        return list(self.settings.items())


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Settings(160_004, wal_level="logical", max_slot_wal_keep_size="4096"), {}),
        (Settings(160_004, wal_level="replica", max_slot_wal_keep_size="4096"), {"wal-level": "error"}),
        (Settings(120_004, wal_level="logical", max_slot_wal_keep_size="-1"), {"postgres-old": "warning", "wal-unlimited": "warning"}),
        (Settings(90_624, wal_level="logical"), {"postgres-old": "error"}),
    ],
)
def test_a_postgresql_server_is_judged(server: Any, expected: dict[str, str]) -> None:
    found = postgres_checks._server(server, partial(Finding, "a"))
    assert {f.rule: f.level for f in found} == expected


def refused(said: str, state: str | None) -> Exception:
    class RefusedError(Exception):
        sqlstate = state

    password = state in sources.PASSWORD_REFUSED or "password authentication failed" in said
    error = (sources.SourceError if password else sources.SourceUnavailableError)(said, "hint")
    error.__cause__ = RefusedError(said)
    return error


PASSWORD, NO_DATABASE = 'FATAL:  password authentication failed for user "a"', 'FATAL:  database "x" does not exist'


@pytest.mark.parametrize(
    ("said", "state", "expected"),
    [
        (PASSWORD, None, {"postgres-login": "error"}),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "28P01", {"postgres-login": "error"}),
        (NO_DATABASE, None, {"postgres-login": "error"}),
        ("FATAL:  Datenbank gibt es nicht", "3D000", {"postgres-login": "error"}),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "x"', None, {"postgres-unseen": "unchecked"}),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "28000", {"postgres-unseen": "unchecked"}),
        ("FATAL:  sorry, too many clients already", "53300", {"postgres-unseen": "unchecked"}),
        ("FATAL:  the database system is starting up", None, {"postgres-unseen": "unchecked"}),
        ("connection refused", None, {"postgres-unseen": "unchecked"}),
    ],
)
def test_only_what_the_worker_will_hear_too_is_an_error(
    said: str, state: str | None, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise refused(said, state)

    monkeypatch.setattr(sources, "postgres", refuse)
    found = postgres_checks.check(Cluster("c", Connect("http://127.0.0.1:1")), "a", {}, False)
    assert {f.rule: f.level for f in found} == expected


# --- judgements on MongoDB servers that the local stand-in cannot be


class Server:
    """Answers as a MongoDB server does, through the few calls of a client that are used."""

    def __init__(self, hello: dict[str, Any], oplog: tuple[dict[str, Any], ...] = (), version: str = "7.0.1", refuses: str = "") -> None:
        self.hello, self.entries, self.version, self.refuses = hello, oplog, version, refuses
        self.admin = self

    @property
    def local(self) -> dict[str, Server]:
        return {"oplog.rs": self}

    def __getitem__(self, name: str) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def command(self, name: str) -> dict[str, Any]:
        return self.hello if name == "hello" else {"version": self.version}

    def list_collection_names(self) -> list[str]:
        return ["clicks"]

    def watch(self, **_: object) -> Server:
        return self._allowed("watch")

    def try_next(self) -> None:
        pass

    def find_one(self, *_: object, sort: list[tuple[str, int]]) -> dict[str, Any]:
        return self._allowed("oplog").entries[0 if sort[0][1] == 1 else -1]

    def _allowed(self, what: str) -> Server:
        if what == self.refuses:
            raise OperationFailure("not authorized on shop to execute command, full error: {...}", 13)
        return self


def oplog(hours: float, first: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return {"ts": Timestamp(1_700_000_000, 1), **first}, {"ts": Timestamp(1_700_000_000 + int(hours * 3600), 1)}


MEMBER, ROUTER, ALONE = {"setName": "rs0"}, {"msg": "isdbgrid"}, {"isWritablePrimary": True}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(MEMBER, oplog(48, {})), {}),
        (Server(MEMBER, oplog(3, {})), {"oplog-short": "warning"}),
        (Server(MEMBER, oplog(3, {"o": {"msg": "initiating set"}})), {}),  # young, not short
        (Server(MEMBER, refuses="oplog"), {"oplog-unseen": "unchecked"}),
        (Server(MEMBER, oplog(48, {}), refuses="watch"), {"change-stream-refused": "error"}),
        (Server(MEMBER, oplog(48, {}), version="4.2.24"), {"mongo-old": "warning"}),
        (Server(ROUTER), {"oplog-unseen": "unchecked"}),
        (Server(ALONE), {"mongo-standalone": "error"}),
    ],
)
def test_a_mongodb_is_judged(server: Server, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connect_configs.sources.mongo", lambda *_: server)
    cluster = Cluster("c", Connect("http://127.0.0.1:1"))
    found = mongo_checks.check(cluster, "a", {"database": "shop", "collection": "clicks"})
    assert {f.rule: f.level for f in found} == expected
    assert "full error" not in str(found)


# --- the command, offline


def write(folder: Path, **changes: str) -> Path:
    config = {**json.loads((CONFIGS / "oltp-postgres.json").read_text()), **{k.replace("__", "."): v for k, v in changes.items()}}
    path = folder / "mine.json"
    path.write_text(json.dumps(config))
    return path


def run(*args: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["connect", "validate", "--offline", *map(str, args)])
    if isinstance(done.exception, ConfigError):
        return done.exception.exit_code, done.exception.message
    return done.exit_code, done.output


def test_our_own_files_pass() -> None:
    code, said = run()
    assert code == 0
    assert said.splitlines()[-1] == "3 connectors: 0 errors, 0 warnings, 1 unchecked"


def test_an_error_leaves_with_1_and_says_the_field(tmp_path: Path) -> None:
    code, said = run(write(tmp_path, slot__name="No", tasks__max="2"))
    assert code == 1
    lines = said.splitlines()
    assert lines[0] == "mine"
    assert re.match(r"  error +slot-name +slot\.name is 'No': ", lines[1])
    assert lines[-1] == "1 connector: 1 error, 1 warning, 1 unchecked"


def test_warnings_leave_with_1_only_when_strict(tmp_path: Path) -> None:
    path = write(tmp_path, tasks__max="2")
    assert (run(path)[0], run(path, "--strict")[0]) == (0, 1)


def test_json_is_one_value(tmp_path: Path) -> None:
    code, said = run(write(tmp_path, database__password="hunter2"), "--json")
    answer = json.loads(said)
    assert code == 1
    assert (answer["connectors"], answer["errors"], answer["findings"][0]["rule"]) == (["mine"], 1, "secret-plain")
    assert "hunter2" not in said


def test_a_file_that_is_no_json_leaves_with_2(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    code, said = run(tmp_path)
    assert code == 2
    assert "bad.json is not JSON" in said
