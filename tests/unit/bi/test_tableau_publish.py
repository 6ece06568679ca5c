"""`c360 bi publish` with Tableau's own client, against the local Tableau Server."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

pytest.importorskip("tableauserverclient", reason="the extra `tableau` is not installed")

from bi.tableau.environments import Environment
from bi.tableau.publish import publish
from bi.tableau.workbook import DATASOURCE, FILES, WORKBOOK
from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.local.doubles.served import served
from commerce360.local.doubles.tableau.service import Tableau as Server
from commerce360.settings import Tableau

ACME = Environment("acme", "acme-prod", "ACME_BI", "ACME_ANALYST", "SHOP", project="Shop")


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def settings(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(server.token_secret + "\n")
    with served(server) as address:
        yield Tableau(server=address, token_name=server.token_name, token_file=secret, timeout_s=10)


@pytest.fixture
def files():
    return {file.name: file.read_bytes() for file in FILES.iterdir()}


def connections(content):
    return [c for c in ET.fromstring(content).iter("connection") if c.get("class") == "snowflake"]


def test_the_first_time_makes_the_project_and_both_files_the_second_overwrites_them(server, settings, files):
    done = publish(files, ACME, settings)
    assert done.steps == [
        "create project 'Shop'",
        "create data source 'Commerce 360' for acme-prod.snowflakecomputing.com",
        "create workbook 'Commerce 360' for acme-prod.snowflakecomputing.com",
    ]
    assert set(done.urls) == {DATASOURCE, WORKBOOK}
    project = next(id_ for id_, name in server.projects.items() if name == "Shop")
    again = publish(files, ACME, settings)
    assert [step.split()[0] for step in again.steps] == ["overwrite", "overwrite"]
    items = {(i.kind, i.name, i.project, i.revision) for i in server.items.values()}
    assert items == {("datasources", "Commerce 360", project, 2), ("workbooks", "Commerce 360", project, 2)}
    assert all(i.tags == {"commerce360", "acme"} for i in server.items.values())
    assert (server.sessions, server.signed_out) == (set(), 2)


def test_every_connection_is_of_the_environment_and_nothing_else_changes(server, settings, files):
    publish(files, ACME, settings)
    for kind, name in (("datasources", DATASOURCE), ("workbooks", WORKBOOK)):
        content = server.named(kind, "Commerce 360").content
        for made in connections(content):
            got = [made.get(a) for a in ("server", "dbname", "warehouse", "service", "authentication", "username")]
            assert got == ["acme-prod.snowflakecomputing.com", "SHOP", "ACME_BI", "ACME_ANALYST", "oauth", ""]
        text = content.decode()
        assert "myorganization" not in text
        assert "COMMERCE360]" not in text
        back = text.replace("acme-prod", "myorganization-myaccount").replace("[SHOP].", "[COMMERCE360].").replace('"SHOP"', '"COMMERCE360"')
        assert back.replace("ACME_BI", "C360_BI").replace("ACME_ANALYST", "C360_ANALYST").encode() == files[name]


def test_the_workbook_has_tabs_and_asks_the_warehouse_each_time_unless_the_site_decides(server, settings, files):
    publish(files, dataclasses.replace(ACME, freshness="site"), settings)
    workbook = server.named("workbooks", "Commerce 360")
    assert (workbook.tabs, workbook.freshness) == (True, "SiteDefault")
    publish(files, ACME, settings)
    assert (workbook.tabs, workbook.freshness) == (True, "AlwaysLive")


def test_no_credentials_are_published(server, settings, files):
    publish(files, ACME, settings)
    for item in server.items.values():
        assert b"password" not in item.content.lower()
        assert server.token_secret.encode() not in item.content


def test_a_key_pair_environment_names_its_user(server, settings, files):
    publish(files, dataclasses.replace(ACME, authentication="keypair", user="TABLEAU"), settings)
    (made,) = connections(server.named("datasources", "Commerce 360").content)
    assert (made.get("authentication"), made.get("username")) == ("auth-keypair", "TABLEAU")


def test_a_server_that_keeps_another_address_is_pointed_at_the_environments(server, settings, files):
    publish(files, ACME, settings)
    server.address = "old.snowflakecomputing.com"
    done = publish(files, ACME, settings)
    assert "point a connection of the workbook at acme-prod.snowflakecomputing.com" in done.steps
    addresses = {c["serverAddress"] for c in server.named("workbooks", "Commerce 360").connections.values()}
    assert addresses == {"acme-prod.snowflakecomputing.com"}


def test_a_dry_run_says_all_and_does_nothing(server, settings, files):
    done = publish(files, ACME, settings, dry_run=True)
    assert [step.split()[0] for step in done.steps] == ["create"] * 3
    assert (server.items, list(server.projects.values())) == ({}, ["default"])
    assert not any(r.startswith(("POST", "PUT")) and "/sites/" in r for r in server.requests)
    publish(files, ACME, settings)
    assert [s.split()[0] for s in publish(files, ACME, settings, dry_run=True).steps] == ["overwrite"] * 2


def test_a_wrong_token_a_wrong_site_and_one_that_may_not_publish(server, settings, files):
    settings.token_file.write_text("wrong")
    with pytest.raises(C360Error, match=r"refuses \(401001") as wrong:
        publish(files, ACME, settings)
    assert "token" in wrong.value.hint
    settings.token_file.write_text(server.token_secret)
    with pytest.raises(C360Error, match="401001"):
        publish(files, dataclasses.replace(ACME, site="other"), settings)
    server.readers_only = True
    with pytest.raises(C360Error, match=r"refuses \(403004") as forbidden:
        publish(files, ACME, settings)
    assert "permission on the project" in forbidden.value.hint
    assert server.sessions == set()


def test_a_run_that_breaks_between_data_source_and_workbook_is_repeated(server, settings, files):
    server.refuse("POST", "/workbooks", "409006")
    with pytest.raises(C360Error, match="409006") as conflict:
        publish(files, ACME, settings)
    assert "publish again" in conflict.value.hint
    assert [i.kind for i in server.items.values()] == ["datasources"]
    done = publish(files, ACME, settings)
    assert [step.split()[0] for step in done.steps] == ["overwrite", "create"]
    assert sorted(i.kind for i in server.items.values()) == ["datasources", "workbooks"]


def test_a_server_that_fails_or_is_not_there_may_be_tried_again(server, settings, files):
    server.refuse("POST", "/datasources", "504000")
    with pytest.raises(UnavailableError, match="failed with 504"):
        publish(files, ACME, settings)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        publish(files, ACME, settings.model_copy(update={"server": "http://127.0.0.1:1"}))
    server.delay_s = 1.0
    with pytest.raises(UnavailableError, match="did not answer in time") as late:
        publish(files, ACME, settings.model_copy(update={"timeout_s": 0.1}))
    assert "it overwrites" in late.value.hint


def test_a_server_that_is_too_old_for_the_files_is_refused_before_anything_is_sent(server, settings, files):
    server.product, server.api = "2025.1.4", "3.25"
    with pytest.raises(C360Error, match=r"Tableau 2025.1, and the files are made for 2026.2"):
        publish(files, ACME, settings)
    assert not server.items
    assert not any("signin" in r for r in server.requests)


def test_a_token_does_not_travel_in_the_clear_and_what_is_missing_is_named(settings, files):
    for change, told in (
        ({"server": "http://tableau.example.com"}, "not https"),
        ({"server": ""}, "has no Tableau server"),
        ({"token_name": ""}, "no personal access token"),
        ({"token_file": Path("/nowhere")}, "secret of the personal access token is not set"),
    ):
        with pytest.raises(ConfigError, match=told):
            publish(files, ACME, settings.model_copy(update=change))


def test_a_large_file_goes_in_parts(server, settings, files, monkeypatch):
    """The client sends in parts what is above its limit; a megabyte is the smallest part that it knows."""
    monkeypatch.setenv("TSC_FILESIZE_LIMIT_MB", "1")
    monkeypatch.setenv("TSC_CHUNK_SIZE_MB", "1")
    large = files[DATASOURCE].replace(b"<run>", b"<run>" + b"x" * 2_500_000, 1)
    publish({**files, DATASOURCE: large}, ACME, settings)
    assert len([r for r in server.requests if "/fileUploads/" in r]) == 3
    assert len(server.named("datasources", "Commerce 360").content) > 2_500_000
    assert server.uploads == {}


def test_the_command_reads_the_environments_file_and_says_what_it_would_do(server, settings, tmp_path, monkeypatch):
    from commerce360.cli.main import app

    file = tmp_path / "environments.toml"
    file.write_text('[acme]\naccount = "acme-prod"\nwarehouse = "W"\nrole = "R"\ndatabase = "SHOP"\nserver = "https://elsewhere"\n')
    for name, value in {"ENVIRONMENTS": file, "TOKEN_NAME": settings.token_name, "TOKEN_FILE": settings.token_file}.items():
        monkeypatch.setenv(f"C360_TABLEAU__{name}", str(value))
    given = ["bi", "publish", "--env", "acme", "--server", settings.server, "--project", "Other"]
    told = CliRunner().invoke(app, [*given, "--dry-run"])
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[0] == "would create project 'Other'"
    assert server.items == {}
    assert CliRunner().invoke(app, given).exit_code == 0
    assert {i.kind for i in server.items.values()} == {"datasources", "workbooks"}


def test_what_the_command_cannot_do_is_two_lines_and_exit_code_two(tmp_path):
    command = [sys.executable, "-m", "commerce360.cli.main", "bi", "publish", "--env", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0].startswith("error: there is no environment 'nowhere'")
    assert "Traceback" not in done.stderr
