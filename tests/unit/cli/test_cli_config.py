"""`c360 config` as a user gets it: the file, what is said, and the exit codes."""

import json
import os
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from commerce360.cli.config import app
from commerce360.environment_file import names_of_settings
from commerce360.errors import ConfigError
from commerce360.settings import Settings

CONFIG = '{"sasl.username": "$ConnectionString", "sasl.mechanism": "PLAIN"}'
VALUES = {"C360_LAKE__ROOT": "abfss://lake@acme.dfs.core.windows.net/c360", "C360_WAREHOUSE__PORT": 443, "C360_KAFKA__CONFIG": CONFIG}


def answer(values, sensitive=False, name="c360_settings"):
    """As Terraform answers; a sensitive output stands beside it."""
    other = {"sensitive": True, "type": "string", "value": "hunter22"}
    return json.dumps({"connection_string": other, name: {"sensitive": sensitive, "type": ["map", "string"], "value": values}})


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in [n for n in os.environ if n.startswith("C360_")]:
        monkeypatch.delenv(name)


def run(*args, text=""):
    done = CliRunner().invoke(app, ["import", *map(str, args)], input=text)
    return done.exit_code, done.output, done.exception


def refused(*args, text=""):
    _, output, error = run(*args, text=text)
    assert isinstance(error, ConfigError)
    assert (error.exit_code, bool(error.hint)) == (2, True)
    return f"{output}{error.message}"


def test_the_file_makes_the_settings_in_a_shell(tmp_path):
    code, output, _ = run(text=answer(VALUES))
    assert code == 0
    (tmp_path / "file").write_text(output)
    told = "import json, commerce360.settings as s; m = s.Settings(); print(json.dumps([m.lake.root, m.warehouse.port, m.kafka.config]))"
    line = f"set -a; . '{tmp_path}/file'; exec '{sys.executable}' -c '{told}'"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [VALUES["C360_LAKE__ROOT"], 443, json.loads(CONFIG)]


def test_other_outputs_are_shown_nowhere(tmp_path):
    _, output, _ = run(text=answer(VALUES))
    run("--out", tmp_path / "file", text=answer(VALUES))
    assert "hunter22" not in output + (tmp_path / "file").read_text()


def test_a_file_is_for_its_owner_and_is_not_replaced_unasked(tmp_path):
    file = tmp_path / "new" / "c360.env"
    assert run("--out", file, text=answer(VALUES))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    assert "is there already" in refused("--out", file, text=answer({"C360_LOG_LEVEL": "DEBUG"}))
    assert file.read_text() == before
    assert run("--out", file, "--force", text=answer({"C360_LOG_LEVEL": "DEBUG"}))[0] == 0
    assert "C360_LOG_LEVEL=DEBUG\n" in file.read_text()
    assert list(file.parent.iterdir()) == [file]


def test_two_answers_make_one_file_unless_they_differ(tmp_path):
    one, two = tmp_path / "azure.json", tmp_path / "snowflake.json"
    one.write_text(answer({"C360_LAKE__ROOT": "/lake"}))
    two.write_text(answer({"C360_WAREHOUSE__PORT": "443"}))
    code, output, _ = run(one, two)
    assert (code, output.splitlines()[1:]) == (0, ["C360_LAKE__ROOT=/lake", "C360_WAREHOUSE__PORT=443"])
    two.write_text(answer({"C360_LAKE__ROOT": "/pond"}))
    assert "C360_LAKE__ROOT has another value in" in refused(one, two)


def test_an_unknown_name_is_refused():
    assert "C360_LAKE__PATH: no such setting" in refused(text=answer({**VALUES, "C360_LAKE__PATH": "x"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("C360_WAREHOUSE__PORT", "https"),
        ("C360_KAFKA__CONFIG", "{no"),
        ("C360_SENTIMENT__ENGINE", "vader"),
        ("C360_CALENDAR__COUNTRIES", "DEU"),
    ],
)
def test_an_invalid_value_is_refused_by_name(name, value):
    assert f"{name}: " in refused(text=answer({**VALUES, name: value}))


def test_a_value_that_not_all_readers_read_alike_is_refused():
    assert "C360_LAKE__ROOT has a quote" in refused(text=answer({"C360_LAKE__ROOT": "it's"}))


def test_a_sensitive_output_goes_to_a_file_and_into_no_message(tmp_path):
    secret = {"C360_MONGO__URI": "mongodb://u:hunter23@h/"}
    said = refused(text=answer(secret, sensitive=True))
    assert "sensitive" in said
    assert "hunter23" not in said
    assert run("--out", tmp_path / "file", text=answer(secret, sensitive=True))[0] == 0
    assert "hunter23" in (tmp_path / "file").read_text()
    wrong = refused(text=answer({"C360_CALENDAR__COUNTRIES": "hunter23"}, sensitive=True))
    assert wrong == "C360_CALENDAR__COUNTRIES: its value is not valid"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"c360_settings": {"value": "x"}}', json.dumps(VALUES)])
def test_what_is_no_answer_of_terraform_is_refused(text):
    assert "the standard input" in refused(text=text)


def test_another_output_is_taken_by_its_name():
    code, output, _ = run("--output", "c360_settings_page", text=answer({"C360_PAGE__PORT": 80}, name="c360_settings_page"))
    assert (code, output.splitlines()[1:]) == (0, ["C360_PAGE__PORT=80"])


def test_the_environment_of_who_imports_has_no_part_in_it(monkeypatch):
    monkeypatch.setenv("C360_WAREHOUSE__PORT", "not a number")
    assert run(text=answer({"C360_LOG_LEVEL": "INFO"}))[0] == 0


def test_each_name_is_a_variable_that_settings_read(monkeypatch):
    names = names_of_settings()
    assert {"C360_LOG_LEVEL", "C360_LAKE__ROOT", "C360_KAFKA__SASL_PASSWORD_FILE"} <= names
    monkeypatch.setenv("C360_KAFKA__SASL_PASSWORD_FILE", "/run/x")
    assert str(Settings().kafka.sasl_password_file) == "/run/x"


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "answer").write_bytes(b"\xff\xfe{")
    assert refused(tmp_path / "answer") == f"{tmp_path}/answer is not UTF-8"
    assert refused(text=b"\xff") == "the standard input is not UTF-8"


@pytest.mark.parametrize("name", ["ssl.key.pem", "ssl.key.password", "sasl.oauthbearer.assertion.private.key.passphrase", "ssl_key_pem"])
def test_keys_of_a_client_are_not_shown(monkeypatch, name):
    monkeypatch.setenv("C360_KAFKA__CONFIG", json.dumps({name: "-----BEGIN hunter22", "ssl.key.location": "/run/key"}))
    shown = CliRunner().invoke(app, ["show", "--changed"]).output
    assert f'{{"{name}": "***", "ssl.key.location": "/run/key"}}' in shown


def test_a_container_of_adls_is_no_user_and_an_at_in_a_password_hides_nothing_of_it(monkeypatch):
    monkeypatch.setenv("C360_LAKE__ROOT", VALUES["C360_LAKE__ROOT"])
    monkeypatch.setenv("C360_MONGO__URI", "mongodb://ada:hunt@er22@h:1/")
    shown = CliRunner().invoke(app, ["show", "--changed"]).output.splitlines()
    assert f"C360_LAKE__ROOT={VALUES['C360_LAKE__ROOT']}  # environment" in shown
    assert "C360_MONGO__URI=mongodb://***@h:1/  # environment" in shown


def test_what_is_set_is_shown_without_secrets(monkeypatch):
    monkeypatch.setenv("C360_MONGO__URI", "mongodb://ada:hunter22@h:1/")
    monkeypatch.setenv("C360_KAFKA__CONFIG", '{"sasl.password": "hunter23", "sasl.mechanism": "PLAIN"}')
    done = CliRunner().invoke(app, ["show"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert "C360_MONGO__URI=mongodb://***@h:1/  # environment" in lines
    assert 'C360_KAFKA__CONFIG={"sasl.password": "***", "sasl.mechanism": "PLAIN"}  # environment' in lines
    assert "C360_LOG_LEVEL=INFO  # default" in lines
    assert "hunter" not in done.output
    assert all("# environment" in line for line in CliRunner().invoke(app, ["show", "--changed"]).output.splitlines())
