"""What a task of a Databricks job says becomes a command, and what its environment names becomes files."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from commerce360 import databricks
from commerce360.errors import ConfigError
from commerce360.settings import Settings, read_secret

PATIENCE_S = 500  # for a process on a busy machine; nothing waits for as long where all is well
SCOPE = {("c360", "loader-key"): "-----BEGIN\nKEY\n-----END\n", ("c360", "mongo"): "mongodb://u:p@h/"}


def secret(scope: str, key: str) -> str:
    return SCOPE[scope, key]


def backfill(*given: str) -> list[str]:
    return databricks.command_line("c360-backfill", given, 2026)


def test_parameters_of_a_job_become_those_of_the_command() -> None:
    given = (
        "--table=dim_date, dim_holiday",
        "--from=2026-11-01",
        "--to=2026-11-07",
        "--source=bronze",
        "--files=",
        "--dry-run=true",
        "--json",
    )
    tables = ["--table=dim_date", "--table=dim_holiday"]
    assert backfill(*given) == ["backfill", *tables, "--from=2026-11-01", "--to=2026-11-07", "--source=bronze", "--dry-run", "--json"]


@pytest.mark.parametrize("said", ["false", "False", ""])
def test_a_switch_that_is_off_is_not_given(said: str) -> None:
    assert backfill("--table=fct_sales", f"--dry-run={said}") == ["backfill", "--table=fct_sales"]


def test_a_switch_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(ConfigError, match="--dry-run is 'yes'"):
        backfill("--table=fct_sales", "--dry-run=yes")


def test_a_value_may_hold_the_sign_that_ends_a_name() -> None:
    assert backfill("--files=/Volumes/a=b/c") == ["backfill", "--files=/Volumes/a=b/c"]


def test_the_warehouse_is_backfilled_whole_where_no_table_is_named() -> None:
    line = databricks.command_line("c360-warehouse-backfill", ["--table=", "--from=2026-11-01", "--if-any", "--dry-run=false"], 2026)
    assert line == ["warehouse", "backfill", "--from=2026-11-01", "--if-any"]


@pytest.mark.parametrize(("year", "first", "last"), [("", "2026-01-01", "2028-12-31"), ("2030", "2030-01-01", "2032-12-31")])
def test_the_calendar_is_made_from_a_year_on(year: str, first: str, last: str) -> None:
    line = databricks.command_line("c360-dim-date", [f"--year={year}", "--years-ahead=2", "--dry-run=false"], 2026)
    assert line == ["backfill", "--table=dim_date", "--table=dim_holiday", f"--from={first}", f"--to={last}", "--json"]


def test_a_dry_run_of_the_calendar_is_one() -> None:
    assert "--dry-run" in databricks.command_line("c360-dim-date", ["--dry-run=true"], 2026)


@pytest.mark.parametrize("year", ["1999", "soon", "2101"])
def test_a_year_that_is_none_is_refused(year: str) -> None:
    with pytest.raises(ConfigError, match="--year is"):
        databricks.command_line("c360-dim-date", [f"--year={year}"], 2026)


def test_a_secret_is_a_file_of_its_owner_while_the_job_runs(tmp_path: Path) -> None:
    environment = {"C360_WAREHOUSE__PRIVATE_KEY_FILE": "secret://c360/loader-key", "PATH": "secret://not/ours"}
    with databricks.prepared(environment, secret, tmp_path):
        path = Path(environment["C360_WAREHOUSE__PRIVATE_KEY_FILE"])
        assert path.read_text() == SCOPE["c360", "loader-key"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.parent.parent == tmp_path
    assert not list(tmp_path.iterdir())
    assert environment == {"C360_WAREHOUSE__PRIVATE_KEY_FILE": "secret://c360/loader-key", "PATH": "secret://not/ours"}


def test_a_setting_that_is_no_file_takes_the_secret_itself(tmp_path: Path) -> None:
    environment = {"C360_MONGO__URI": "secret://c360/mongo"}
    with databricks.prepared(environment, secret, tmp_path):
        assert environment == {"C360_MONGO__URI": "mongodb://u:p@h/"}


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    environment = {"C360_POSTGRES__PASSWORD_FILE": "", "C360_LOG_LEVEL": "INFO", "OTHER": ""}
    with databricks.prepared(environment, secret, tmp_path):
        assert environment == {"C360_LOG_LEVEL": "INFO", "OTHER": ""}


@pytest.mark.parametrize("reference", ["secret://c360/nobody", "secret://c360", "secret://c360/a/b", "secret:///a"])
def test_a_secret_that_cannot_be_read_ends_the_job_and_leaves_nothing(reference: str, tmp_path: Path) -> None:
    name = "C360_WAREHOUSE__PRIVATE_KEY_FILE"
    environment = {"C360_KAFKA__SASL_PASSWORD_FILE": "secret://c360/mongo", name: reference}
    with pytest.raises(ConfigError, match=name) as caught, databricks.prepared(environment, secret, tmp_path):
        pytest.fail("it began")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())
    assert environment == {"C360_KAFKA__SASL_PASSWORD_FILE": "secret://c360/mongo", name: reference}


def test_the_settings_read_what_was_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_WAREHOUSE__PRIVATE_KEY_FILE", "secret://c360/loader-key")
    with databricks.prepared(os.environ, secret, tmp_path):
        found = read_secret(Settings().warehouse.private_key_file, "key").get_secret_value()
    assert found == SCOPE["c360", "loader-key"].rstrip("\n")


# A stand-in of the runtime's module that hands out secrets; all else is what runs on a cluster.
RUNTIME = """
class _Secrets:
    def get(self, scope, key):
        if key == "gone":
            raise RuntimeError("Secret does not exist with scope: c360 and key: gone\\n at com.databricks")
        return f"{scope}/{key}"
class dbutils:
    secrets = _Secrets()
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "runtime" / "databricks" / "sdk"
    folder.mkdir(parents=True)
    (folder / "runtime.py").write_text(RUNTIME)
    return tmp_path / "runtime"


def begin(runtime: Path, entry: str, *given: str, **environment: str) -> subprocess.Popen[str]:
    """Call the entry point as a task does: the function, with its parameters behind the program's name, in a Python that goes on."""
    code = f"from commerce360 import databricks; databricks.{entry}(); print('returned')"
    path = os.pathsep.join([str(Path(databricks.__file__).parents[1]), str(runtime)])
    clean = {k: v for k, v in os.environ.items() if not k.startswith("C360_")}
    line = [sys.executable, "-c", code, *given]
    return subprocess.Popen(
        line, env={**clean, "PYTHONPATH": path, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(runtime: Path, entry: str, *given: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    process = begin(runtime, entry, *given, **environment)
    output, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output, errors


@pytest.mark.parametrize("entry", ["lake", "backfill", "dim_date"])
def test_an_entry_point_that_has_done_its_work_returns(entry: str, runtime: Path) -> None:
    """`--help` leaves with SystemExit(0) everywhere else, which is a failed run there."""
    code, output, errors = run(runtime, entry, "--help")
    assert (code, errors) == (0, "")
    assert "returned" in output


def test_a_failure_keeps_its_exit_code_and_its_two_lines(runtime: Path) -> None:
    code, output, errors = run(runtime, "backfill", "--table=fct_sales", "--from=2999-01-01", "--to=2999-01-01", C360_LAKE__ROOT="/nowhere")
    assert (code, output) == (2, "")
    assert errors.startswith("error: 2999-01-01 is not over")
    assert "\nhint: " in errors


def test_a_secret_that_is_not_there_is_named_without_its_stack(runtime: Path) -> None:
    code, _, errors = run(runtime, "loader", C360_WAREHOUSE__PRIVATE_KEY_FILE="secret://c360/gone")
    assert code == 2
    assert "the secret gone of scope c360 cannot be read: Secret does not exist" in errors
    assert "com.databricks" not in errors


@pytest.mark.parametrize("entry", ["lake", "loader"])
def test_a_service_refuses_parameters(entry: str, runtime: Path) -> None:
    code, _, errors = run(runtime, entry, "--table=fct_sales")
    assert code == 2
    assert "--table=fct_sales" in errors


def test_a_service_has_its_secrets_until_the_run_is_cancelled(runtime: Path, tmp_path: Path) -> None:
    """Cancelling interrupts the process that the entry point runs in."""
    name, key = "C360_SENTIMENT__KEY_FILE", str(uuid.uuid4())
    process = begin(runtime, "sentiment", C360_STATE=str(tmp_path), C360_SENTIMENT__ENGINE="off", **{name: f"secret://c360/{key}"})
    deadline = time.monotonic() + PATIENCE_S
    while not (tmp_path / "run" / "sentiment.metrics.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    there = [p for p in databricks.MEMORY.glob(f"c360-secrets-*/{name}") if p.read_text() == f"c360/{key}"]
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (0, "returned\n"), errors
    assert len(there) == 1
    assert not there[0].exists()
