"""Running migrations on a local Snowflake: once, again, over a failure and a death, and never two at a time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import C360Error, ConfigError
from commerce360.local.scratch import serving
from commerce360.local.warehouse import prepare
from warehouse import apply as runner
from warehouse.client import Client
from warehouse.history import LEASE_S, History
from warehouse.scripts import Script

FIRST = Script(
    "V1.0.0__first_step.sql", "CREATE SCHEMA IF NOT EXISTS {{ database }}.RAW;\nCREATE TABLE IF NOT EXISTS {{ database }}.RAW.T (A INT)"
)
VIEW = Script("R__view.sql", "CREATE OR REPLACE VIEW {{ database }}.RAW.V AS SELECT A FROM {{ database }}.RAW.T")
BROKEN = Script(
    "V1.1.0__broken.sql", "CREATE TABLE IF NOT EXISTS {{ database }}.RAW.U (A INT);\nSELECT * FROM {{ database }}.RAW.NOWHERE;\nSELECT 1"
)
HISTORY = (
    "SELECT VERSION, DESCRIPTION, SCRIPT, SCRIPT_TYPE, CHECKSUM, STATUS, INSTALLED_BY FROM {}.OPS.CHANGE_HISTORY ORDER BY INSTALLED_ON"
)


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serving(tmp_path_factory.mktemp("runner")) as settings:
        prepare(settings, found=[])
        yield settings


@pytest.fixture
def warehouse(around: Any) -> Any:
    """An empty database of its own."""
    from commerce360.local.warehouse import of_admin

    name = f"T{uuid.uuid4().hex[:8].upper()}"
    with Client(of_admin(around)) as admin:
        admin.query(f"CREATE DATABASE {name}")
        admin.query(f"GRANT OWNERSHIP ON DATABASE {name} TO ROLE C360_TRANSFORMER")
    return around.warehouse.model_copy(update={"database": name})


def ask(warehouse: Any, sql: str) -> list[dict[str, Any]]:
    with Client(warehouse) as client:
        return client.query(sql)


def test_what_was_run_is_noted_as_schemachange_does_and_not_run_again(warehouse: Any) -> None:
    lines: list[str] = []
    steps = runner.apply(warehouse, lines.append, [FIRST, VIEW])
    assert [step.why for step in steps] == ["new", "new"]
    assert [line.split(",")[0] for line in lines] == ["V1.0.0__first_step.sql: 2 statements", "R__view.sql: 1 statements"]
    values = {"database": warehouse.database}
    assert [tuple(row.values()) for row in ask(warehouse, HISTORY.format(warehouse.database))] == [
        ("1.0.0", "First step", FIRST.name, "V", FIRST.checksum(values), "Success", "C360_TRANSFORMER"),
        ("", "View", VIEW.name, "R", VIEW.checksum(values), "Success", "C360_TRANSFORMER"),
    ]
    again: list[str] = []
    assert [step.runs for step in runner.apply(warehouse, again.append, [FIRST, VIEW])] == [False, False]
    assert again == []
    other = Script(VIEW.name, VIEW.text + " WHERE A > 0")
    assert [step.why for step in runner.apply(warehouse, again.append, [FIRST, other])] == ["", "changed"]
    assert len(ask(warehouse, HISTORY.format(warehouse.database))) == 3


def test_a_failure_is_told_by_script_and_number_and_leaves_no_note(warehouse: Any) -> None:
    with pytest.raises(C360Error, match=r"(?s)V1\.1\.0__broken\.sql, statement 2 of 3: .*NOWHERE") as caught:
        runner.apply(warehouse, found=[FIRST, BROKEN, VIEW])
    assert "SELECT * FROM" in caught.value.hint
    assert [row["script"] for row in ask(warehouse, HISTORY.format(warehouse.database))] == [FIRST.name]
    mended = Script(BROKEN.name, BROKEN.text.replace("NOWHERE", "T"))
    assert [step.why for step in runner.apply(warehouse, found=[FIRST, mended, VIEW])] == ["", "new", "new"]


def test_a_versioned_script_that_was_changed_stops_everything_before_it_begins(warehouse: Any) -> None:
    runner.apply(warehouse, found=[FIRST])
    with pytest.raises(ConfigError, match="changed after it had been run"):
        runner.apply(warehouse, found=[Script(FIRST.name, FIRST.text + "; SELECT 1"), VIEW])
    assert ask(warehouse, f"SHOW VIEWS IN DATABASE {warehouse.database}") == []


def test_a_second_run_is_refused_while_the_first_goes_on(warehouse: Any) -> None:
    runner.apply(warehouse, found=[FIRST])
    with Client(warehouse) as client, History(client, warehouse.database).held():
        with pytest.raises(C360Error, match=f"somebody else migrates this warehouse: {socket.gethostname()} {os.getpid()}"):
            runner.apply(warehouse, found=[FIRST, VIEW])
        assert runner.apply(warehouse, found=[FIRST])[0].why == ""  # nothing to do needs no lease
    assert [step.why for step in runner.apply(warehouse, found=[FIRST, VIEW])] == ["", "new"]


def test_a_run_that_was_killed_here_is_taken_over_at_once_and_one_elsewhere_when_its_time_is_up(warehouse: Any) -> None:
    runner.apply(warehouse, found=[FIRST])
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lease = f"{warehouse.database}.OPS.MIGRATION_LEASE"

    def hold(holder: str, seconds: int) -> None:
        ask(warehouse, f"UPDATE {lease} SET HOLDER = '{holder}', HELD_UNTIL = DATEADD(second, {seconds}, SYSDATE())")

    hold("elsewhere 1 x", LEASE_S)
    with pytest.raises(C360Error, match="elsewhere 1 x") as caught:
        runner.apply(warehouse, found=[FIRST, VIEW])
    assert "UTC at most" in caught.value.hint
    hold("elsewhere 1 x", -1)
    assert runner.apply(warehouse, found=[FIRST, VIEW])[1].why == "new"
    hold(f"{socket.gethostname()} {gone} x", LEASE_S)
    assert runner.apply(warehouse, found=[FIRST, Script(VIEW.name, VIEW.text + " LIMIT 5")])[1].why == "changed"
    assert ask(warehouse, f"SELECT HOLDER FROM {lease}") == [{"holder": ""}]


def test_a_run_that_lost_its_lease_notes_nothing_more(warehouse: Any) -> None:
    runner.apply(warehouse, found=[FIRST])
    with Client(warehouse) as client, History(client, warehouse.database).held() as lease:
        ask(warehouse, f"UPDATE {warehouse.database}.OPS.MIGRATION_LEASE SET HOLDER = 'other'")
        lease._renewed = 0.0  # as if a statement had taken long
        with pytest.raises(C360Error, match="somebody else migrates now"):
            lease.renew()


def test_a_database_that_is_not_there_is_told(around: Any) -> None:
    with pytest.raises(C360Error, match="NOT_THERE"):
        runner.planned(around.warehouse.model_copy(update={"database": "NOT_THERE"}), [FIRST])


def test_a_process_killed_inside_a_script_is_followed_by_one_that_does_all_of_it(warehouse: Any, tmp_path: Path) -> None:
    slow = "CREATE SCHEMA IF NOT EXISTS {{ database }}.RAW;\n" + "".join(
        f"CREATE TABLE IF NOT EXISTS {{{{ database }}}}.RAW.T{n} (A INT);\n" for n in range(30)
    )
    (tmp_path / "V1.0.0__many.sql").write_text(slow)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom commerce360.settings import Warehouse\nfrom warehouse import apply, scripts\n"
        "from warehouse.client import Client\nseen = [0]\nplain = Client.query\n"
        "def query(self, sql, params=None):\n    seen[0] += 'CREATE TABLE IF NOT EXISTS' in sql and '.RAW.' in sql\n"
        "    os.kill(os.getpid(), 9) if seen[0] == 12 else None\n    return plain(self, sql, params)\n"
        "Client.query = query\n"
        f"apply.apply(Warehouse.model_validate_json(sys.argv[1]), found=scripts.read(Path({str(tmp_path)!r})))\n"
    )
    died = subprocess.run([sys.executable, "-c", code, warehouse.model_dump_json()], capture_output=True, text=True, check=False)
    assert died.returncode == -9, died.stderr
    assert len(ask(warehouse, f"SHOW TABLES IN SCHEMA {warehouse.database}.RAW")) == 11
    assert ask(warehouse, HISTORY.format(warehouse.database)) == []
    from warehouse.scripts import read

    assert [step.why for step in runner.apply(warehouse, found=read(tmp_path))] == ["new"]
    assert len(ask(warehouse, f"SHOW TABLES IN SCHEMA {warehouse.database}.RAW")) == 30
