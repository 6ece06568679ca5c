"""The tier that runs in Airflow's environment, apart from all others. What is set here must be so before the first `import airflow`."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "airflow" / "dags"
HOME = tempfile.TemporaryDirectory(prefix="c360-airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": HOME.name,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME.name}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
)
for name in [name for name in os.environ if name.startswith("C360_")]:
    del os.environ[name]
sys.path.insert(0, str(DAGS))  # as Airflow does
sys.path.append(str(ROOT / "tests" / "stack"))  # ports that are nobody else's


@pytest.fixture(scope="session")
def bag() -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


class Command:
    """A program in the place of `c360` that behaves by its contract: what it does is told to it, and it notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "c360"
        self.calls_file = folder / "calls"
        self.folder = folder

    def does(self, body: str) -> None:
        """`body`: Python; `day` and `tables` are those of the call."""
        head = f"""
        #!{sys.executable} -S
        import json, os, signal, sys, time
        from pathlib import Path
        args = sys.argv[1:]
        given = lambda name: [args[n + 1] for n, a in enumerate(args) if a == name]
        day, tables = given("--from")[0], given("--table")
        with open({str(self.calls_file)!r}, "a") as calls:
            calls.write(json.dumps(args) + "\\n")
        row = lambda table, **more: print(json.dumps({{"day": day, "table": table, "source": "bronze", "read": 5, "changed": 0,
            "unchanged": 5, "rejected": 0, "seconds": 0.1, **more}}), flush=True)
        say = lambda line: print(line, file=sys.stderr, flush=True)
        """
        self.path.write_text(dedent(head).lstrip() + dedent(body))
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()] if self.calls_file.exists() else []


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """What `C360_COMMAND` names in this test; it fills what it is asked for."""
    made = Command(tmp_path)
    made.does("[row(table) for table in tables]")
    monkeypatch.setenv("C360_COMMAND", str(made.path))
    monkeypatch.setenv("C360_AIRFLOW_STATE", "/stack")
    return made
